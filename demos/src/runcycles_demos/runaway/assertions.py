"""What the race claims. Each sentence has an id that does not change, and is judged by the facts.

Nothing is measured here: facts go in, verdicts come out.
"""

from collections.abc import Callable
from dataclasses import asdict, replace

from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.verdicts import HTTP_CONFLICT, Verdict, equal
from runcycles_demos.runaway.facts import Facts, Lane
from runcycles_demos.runaway.terms import EXCEEDED, LIMIT, SCOPES

LEAST_SHARE = 0.95  # of the calls that the pace allows
MOST_LATE = 1.05  # times the schedule
_EARLY_S, _LATE_S = 0.1, 0.6  # around the moment of the cut
_ABOUT_SPEED = {"R6", "R7"}


def judge(facts: Facts) -> tuple[Verdict, ...]:
    """Judge every sentence; the order is that of the ids.

    On a machine that could not keep the pace, a sentence about speed that does not hold is left
    open; so are all others if the guarded lane was cut off before it could reach its limit.
    """
    verdicts = tuple(rule(facts) for rule in _RULES)
    if pace_held(facts):
        return verdicts
    open_ids = {verdict.id for verdict in verdicts} if _starved(facts) else _ABOUT_SPEED
    return tuple(
        replace(verdict, ok=None, skipped="the machine did not keep the pace")
        if verdict.ok is False and verdict.id in open_ids
        else verdict
        for verdict in verdicts
    )


def _starved(facts: Facts) -> bool:
    lane = facts.guarded
    return lane.stopped_by == "cutoff" and lane.bill.requests < facts.terms.allowed_calls


def lateness(facts: Facts) -> float | None:
    """Return how much longer the unguarded lane took than its calls should have; None without pace.

    Its time is compared with as many periods as it made calls, so that a cut which comes too early
    is not taken for a slow machine.
    """
    lane, period_s = facts.unguarded, facts.terms.period_ms / 1000
    if facts.terms.fast or not lane.bill.requests:
        return None
    return lane.seconds / (lane.bill.requests * period_s)


def pace_held(facts: Facts) -> bool:
    """Return whether the machine kept the pace, without which two sentences say nothing."""
    late = lateness(facts)
    return late is None or late <= MOST_LATE


def _guarded_bill(facts: Facts) -> Verdict:
    return equal(
        "R1",
        f"the provider billed the guarded lane exactly the limit, {dollars(LIMIT)}",
        LIMIT,
        facts.guarded.bill.microcents,
    )


def _ledger_agrees(facts: Facts) -> Verdict:
    return equal(
        "R2",
        "the ledger says the provider's bill was spent, at all five scopes",
        [facts.guarded.bill.microcents] * SCOPES,
        [scope.spent for scope in facts.ledger.scopes],
    )


def _nothing_held(facts: Facts) -> Verdict:
    return equal(
        "R3",
        "nothing is held any more: reserved $0.00 at all five scopes, no ACTIVE reservation",
        {"reserved": [0] * SCOPES, "ACTIVE": 0},
        {
            "reserved": [scope.reserved for scope in facts.ledger.scopes],
            "ACTIVE": facts.ledger.reservations.get("ACTIVE", 0),
        },
    )


def _one_refusal(facts: Facts) -> Verdict:
    call = facts.terms.allowed_calls + 1
    return equal(
        "R4",
        f"exactly one call was refused: call {call}, with {HTTP_CONFLICT} {EXCEEDED}",
        [{"call": call, "http": HTTP_CONFLICT, "error": EXCEEDED}],
        [
            {"call": refusal.call, "http": refusal.http, "error": refusal.error}
            for refusal in facts.guarded.refusals
        ],
    )


def _body_never_entered(facts: Facts) -> Verdict:
    allowed, lane = facts.terms.allowed_calls, facts.guarded
    return equal(
        "R5",
        f"call {allowed + 1} was wanted, but its body never ran",
        {"wanted": allowed + 1, "entered": allowed, "answered": allowed, "billed": allowed},
        {
            "wanted": lane.started,
            "entered": lane.entered,
            "answered": lane.answered,
            "billed": lane.bill.requests,
        },
    )


def _unguarded_bill(facts: Facts) -> Verdict:
    lane, terms = facts.unguarded, facts.terms
    most = terms.calls * terms.price
    least = most if terms.fast else round(most * LEAST_SHARE)
    window = dollars(most) if least == most else f"between {dollars(least)} and {dollars(most)}"
    factor = LEAST_SHARE * terms.calls / terms.allowed_calls
    billed = lane.bill.microcents
    times = billed / facts.guarded.bill.microcents if facts.guarded.bill.microcents else 0.0
    counts = lane.bill.requests == lane.answered
    return Verdict(
        id="R6",
        text=f"without the guard it billed {window}, at least {factor:g} times as much",
        ok=least <= billed <= most and times >= factor and counts,
        expected={"least": least, "most": most, "times": factor, "answered": lane.bill.requests},
        actual={"billed": billed, "times": round(times, 3), "answered": lane.answered},
    )


def _unguarded_time(facts: Facts) -> Verdict:
    cut_s, seconds = facts.terms.cut_s, round(facts.unguarded.seconds, 3)
    if cut_s is None:
        return Verdict(
            id="R7",
            text=f"the unguarded lane ran until it was cut, after {facts.terms.calls:,} calls",
            ok=None,
            expected=None,
            actual=seconds,
            skipped="under --fast the cut is a number of calls, not a time",
        )
    window = [round(cut_s - _EARLY_S, 3), round(cut_s + _LATE_S, 3)]
    return Verdict(
        id="R7",
        text=f"the unguarded lane ran until it was cut, after {cut_s:g} s",
        ok=window[0] <= seconds <= window[1] and facts.unguarded.stopped_by == "cutoff",
        expected=window,
        actual=seconds,
    )


def _same_agent(facts: Facts) -> Verdict:
    count = facts.terms.allowed_calls
    return equal(
        "R8",
        f"both lanes asked the model the same {count} questions before the refusal",
        count,
        _equal_beginning(facts.unguarded, facts.guarded, count),
    )


def _equal_beginning(one: Lane, other: Lane, count: int) -> int:
    pairs = zip(one.bill.bodies[:count], other.bill.bodies[:count], strict=False)
    equal = 0
    for left, right in pairs:
        if left != right:
            break
        equal += 1
    return equal


def _log_agrees(facts: Facts) -> Verdict:
    return equal(
        "R9",
        "the server's own log holds that refusal, and no other, under the same request id",
        [
            {"http": refusal.http, "error": refusal.error, "request_id": refusal.request_id}
            for refusal in facts.guarded.refusals
        ]
        or [{"http": HTTP_CONFLICT, "error": EXCEEDED}],
        [asdict(refusal) for refusal in facts.logged],
    )


def _replay_refused(facts: Facts) -> Verdict:
    return equal(
        "R10",
        "asked again under the same key, it was refused again and nothing changed",
        {"http": HTTP_CONFLICT, "error": EXCEEDED, "changed": False},
        None if facts.replay is None else asdict(facts.replay),
    )


_RULES: tuple[Callable[[Facts], Verdict], ...] = (
    _guarded_bill,
    _ledger_agrees,
    _nothing_held,
    _one_refusal,
    _body_never_entered,
    _unguarded_bill,
    _unguarded_time,
    _same_agent,
    _log_agrees,
    _replay_refused,
)
