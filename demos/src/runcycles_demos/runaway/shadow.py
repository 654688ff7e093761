"""What the scene `shadow` claims: who only watches learns what a limit would have stopped.

Provided that what was spent is recorded: a dry run holds nothing, so nothing adds up by itself.
Nothing is measured here: facts go in, verdicts come out.
"""

from collections.abc import Callable

from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.verdicts import Verdict, equal
from runcycles_demos.runaway.facts import Asking, ShadowFacts
from runcycles_demos.runaway.terms import LIMIT, SCOPES


def judge(facts: ShadowFacts) -> tuple[Verdict, ...]:
    """Judge every sentence; the order is that of the ids."""
    return tuple(rule(facts) for rule in _RULES)


def _unguarded(facts: ShadowFacts) -> Verdict:
    terms, lane = facts.terms, facts.unguarded
    most = terms.calls * terms.price
    return equal(
        "S1",
        f"without Cycles, {terms.calls:,} calls were billed {dollars(most)}",
        {"billed": most, "requests": terms.calls, "answered": terms.calls},
        {
            "billed": lane.bill.microcents,
            "requests": lane.bill.requests,
            "answered": lane.answered,
        },
    )


def _observed_bill(facts: ShadowFacts) -> Verdict:
    return equal(
        "S2",
        "shadow mode stopped nothing: its lane was billed the same",
        [facts.unguarded.bill.microcents, facts.terms.calls],
        [facts.observed.lane.bill.microcents, facts.observed.lane.answered],
    )


def _dry_run_bill(facts: ShadowFacts) -> Verdict:
    return equal(
        "S3",
        "dry runs alone stopped nothing either: their lane was billed the same",
        [facts.unguarded.bill.microcents, facts.terms.calls],
        [facts.dry_run.lane.bill.microcents, facts.dry_run.lane.answered],
    )


def _first_no(facts: ShadowFacts) -> Verdict:
    first, calls = facts.terms.allowed_calls + 1, facts.terms.calls
    found = facts.observed.would_refuse
    return equal(
        "S4",
        f"shadow mode would have refused call {first} first, and every call after it",
        {"first": first, "calls": calls - first + 1},
        {"first": min(found, default=None), "calls": len(found)},
    )


def _never_no(facts: ShadowFacts) -> Verdict:
    return equal(
        "S5",
        f"dry runs alone would have refused nothing in {facts.terms.calls:,} calls",
        {"first": None, "calls": 0},
        {
            "first": min(facts.dry_run.would_refuse, default=None),
            "calls": len(facts.dry_run.would_refuse),
        },
    )


def _asked_and_recorded(facts: ShadowFacts) -> Verdict:
    calls = facts.terms.calls
    return equal(
        "S6",
        "both asked before every call; what was spent, only shadow mode recorded",
        {"observed": [calls, calls], "dry_run": [calls, 0]},
        {
            "observed": [facts.observed.dry_runs, facts.observed.recorded],
            "dry_run": [facts.dry_run.dry_runs, facts.dry_run.recorded],
        },
    )


def _ledgers(facts: ShadowFacts) -> Verdict:
    return equal(
        "S7",
        f"so one ledger knows of {dollars(LIMIT)} spent, all it had, and the other one of $0.00",
        {"observed": [LIMIT] * SCOPES, "dry_run": [0] * SCOPES},
        {"observed": _spent(facts.observed), "dry_run": _spent(facts.dry_run)},
    )


def _spent(asking: Asking) -> list[int]:
    return [scope.spent for scope in asking.ledger.scopes]


def _nothing_held(facts: ShadowFacts) -> Verdict:
    ledgers = [facts.observed.ledger, facts.dry_run.ledger]
    return equal(
        "S8",
        "neither has held anything: there is not one reservation, and no debt",
        {"reservations": [0, 0], "debt": [0, 0]},
        {
            "reservations": [sum(ledger.reservations.values()) for ledger in ledgers],
            "debt": [sum(scope.debt for scope in ledger.scopes) for ledger in ledgers],
        },
    )


def _same_agent(facts: ShadowFacts) -> Verdict:
    calls, asked = facts.terms.calls, facts.unguarded.bill.bodies
    return equal(
        "S9",
        f"all three lanes asked the model the same {calls:,} questions",
        {"calls": calls, "observed": True, "dry_run": True},
        {
            "calls": len(asked),
            "observed": facts.observed.lane.bill.bodies == asked,
            "dry_run": facts.dry_run.lane.bill.bodies == asked,
        },
    )


_RULES: tuple[Callable[[ShadowFacts], Verdict], ...] = (
    _unguarded,
    _observed_bill,
    _dry_run_bill,
    _first_no,
    _never_no,
    _asked_and_recorded,
    _ledgers,
    _nothing_held,
    _same_agent,
)
