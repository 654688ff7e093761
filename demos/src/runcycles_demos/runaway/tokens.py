"""What the scene `tokens` claims: where no two calls cost the same, the limit holds to the µ¢.

Each call reserves the most it can cost and pays what it did cost; the difference comes back.
Nothing is measured here: facts go in, verdicts come out.
"""

from collections.abc import Callable

from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.verdicts import HTTP_CONFLICT, Verdict, equal
from runcycles_demos.runaway.facts import TokensFacts
from runcycles_demos.runaway.terms import EXCEEDED, LIMIT, SCOPES


def judge(facts: TokensFacts) -> tuple[Verdict, ...]:
    """Judge every sentence; the order is that of the ids."""
    return tuple(rule(facts) for rule in _RULES)


def _within(facts: TokensFacts) -> Verdict:
    billed = facts.guarded.bill.microcents
    return Verdict(
        id="T1",
        text=f"the provider billed no more than the limit, {dollars(LIMIT)}",
        ok=0 < billed <= LIMIT,
        expected={"most": LIMIT},
        actual=billed,
    )


def _ledger_agrees(facts: TokensFacts) -> Verdict:
    return equal(
        "T2",
        "the ledger says the provider's bill was spent, to the µ¢, at all five scopes",
        [facts.guarded.bill.microcents] * SCOPES,
        [scope.spent for scope in facts.ledger.scopes],
    )


def _calls_agree(facts: TokensFacts) -> Verdict:
    """The document names the first calls that differ; a list of all of them helps nobody."""
    billed = [call.microcents for call in facts.guarded.bill.calls]
    charged = [call.actual for call in facts.settled]
    pairs = list(zip(billed, charged, strict=False))
    same = next((at for at, pair in enumerate(pairs) if pair[0] != pair[1]), len(pairs))
    return Verdict(
        id="T3",
        text="every single call was charged what the provider billed for it",
        ok=billed == charged,
        expected={"calls": len(billed), "same": len(billed)},
        actual={"calls": len(charged), "same": same},
    )


def _bounded(facts: TokensFacts) -> Verdict:
    above = [call for call in facts.settled if call.actual > call.estimate]
    below = [call for call in facts.settled if call.actual < call.estimate]
    return Verdict(
        id="T4",
        text="no call cost more than was reserved for it, and most cost less",
        ok=not above and 2 * len(below) > len(facts.settled),
        expected={"above": 0, "below_at_least": len(facts.settled) // 2 + 1},
        actual={"above": len(above), "below": len(below)},
    )


def _released(facts: TokensFacts) -> Verdict:
    return equal(
        "T5",
        "all that was reserved and not spent came back: Σ released = Σ (estimate − actual)",
        sum(call.estimate - call.actual for call in facts.settled),
        sum(facts.released),
    )


def _one_refusal(facts: TokensFacts) -> Verdict:
    call = facts.guarded.answered + 1
    return equal(
        "T6",
        f"exactly one call was refused: call {call}, with {HTTP_CONFLICT} {EXCEEDED}",
        [{"call": call, "http": HTTP_CONFLICT, "error": EXCEEDED}],
        [
            {"call": refusal.call, "http": refusal.http, "error": refusal.error}
            for refusal in facts.guarded.refusals
        ],
    )


def _too_little_left(facts: TokensFacts) -> Verdict:
    left = min((scope.remaining for scope in facts.ledger.scopes), default=0)
    wanted = facts.refused_estimate
    return Verdict(
        id="T7",
        text="what remained then was less than that call could have cost",
        ok=wanted is not None and left < wanted,
        expected={"less_than": wanted},
        actual=left,
    )


def _body_never_entered(facts: TokensFacts) -> Verdict:
    lane, calls = facts.guarded, facts.guarded.bill.requests
    return equal(
        "T8",
        f"call {lane.answered + 1} was wanted, but its body never ran",
        {"wanted": calls + 1, "entered": calls, "answered": calls},
        {"wanted": lane.started, "entered": lane.entered, "answered": lane.answered},
    )


def _grown(facts: TokensFacts) -> Verdict:
    estimates = [call.estimate for call in facts.settled] or [0]
    first, last = estimates[0], facts.refused_estimate or 0
    return Verdict(
        id="T9",
        text="the conversation grew all the while: the last call was to cost twice the first",
        ok=0 < 2 * first <= last,
        expected={"at_least": 2 * first},
        actual=last,
    )


def _nothing_held(facts: TokensFacts) -> Verdict:
    return equal(
        "T10",
        "nothing is held any more: reserved $0.00 at all five scopes, no ACTIVE reservation",
        {"reserved": [0] * SCOPES, "ACTIVE": 0},
        {
            "reserved": [scope.reserved for scope in facts.ledger.scopes],
            "ACTIVE": facts.ledger.reservations.get("ACTIVE", 0),
        },
    )


_RULES: tuple[Callable[[TokensFacts], Verdict], ...] = (
    _within,
    _ledger_agrees,
    _calls_agree,
    _bounded,
    _released,
    _one_refusal,
    _too_little_left,
    _body_never_entered,
    _grown,
    _nothing_held,
)
