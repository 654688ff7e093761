"""The facts of a race in which everything went as claimed, for tests to spoil."""

from dataclasses import replace
from typing import Any

from runcycles_demos.kit.meter import Bill, BilledCall
from runcycles_demos.runaway.engine import CENT as PRICE
from runcycles_demos.runaway.facts import (
    Asking,
    Facts,
    Lane,
    Ledger,
    LoggedRefusal,
    Refusal,
    Replay,
    ScopeBalance,
    Settled,
    ShadowFacts,
    TokensFacts,
)
from runcycles_demos.runaway.terms import LIMIT, SHADOW, TOKENS, Terms

REFUSAL = Refusal(
    call=101,
    http=409,
    error="BUDGET_EXCEEDED",
    scope="tenant:demo",
    request_id="req-1",
    trace_id="0" * 32,
)


def bill(requests: int, *, every_s: float = 0.012) -> Bill:
    calls = tuple(
        BilledCall(at=1_000 + k * every_s, microcents=PRICE, body=f"body {k}")
        for k in range(requests)
    )
    return Bill(requests=requests, microcents=requests * PRICE, calls=calls)


def scopes(**different: Any) -> tuple[ScopeBalance, ...]:
    balance = ScopeBalance(
        scope="tenant:demo", allocated=LIMIT, spent=LIMIT, reserved=0, remaining=0, debt=0
    )
    return (balance, balance, balance, balance, replace(balance, **different))


def facts(**different: Any) -> Facts:
    unguarded = Lane(
        bill=bill(1_000),
        started=1_000,
        entered=1_000,
        answered=1_000,
        seconds=12.004,
        stopped_by="cutoff",
    )
    guarded = Lane(
        bill=bill(100),
        started=101,
        entered=100,
        answered=100,
        seconds=1.23,
        stopped_by="BUDGET_EXCEEDED",
        refusals=(REFUSAL,),
    )
    honest = Facts(
        terms=Terms(),
        unguarded=unguarded,
        guarded=guarded,
        ledger=Ledger(scopes=scopes(), reservations={"COMMITTED": 100}),
        logged=(LoggedRefusal(http=409, error="BUDGET_EXCEEDED", request_id="req-1"),),
        replay=Replay(http=409, error="BUDGET_EXCEEDED", changed=False),
    )
    return replace(honest, **different)


def guarded(**different: Any) -> Facts:
    return facts(guarded=replace(facts().guarded, **different))


def unguarded(**different: Any) -> Facts:
    return facts(unguarded=replace(facts().unguarded, **different))


def lane(requests: int) -> Lane:
    """A lane that nothing stopped."""
    return Lane(
        bill=bill(requests),
        started=requests,
        entered=requests,
        answered=requests,
        seconds=requests * 0.012,
        stopped_by="cutoff",
    )


def ledger(spent: int, **different: Any) -> Ledger:
    scope = replace(scopes()[0], spent=spent, remaining=LIMIT - spent, **different)
    return Ledger(scopes=(scope,) * 5, reservations={})


OBSERVED = Asking(
    lane=lane(1_000),
    ledger=ledger(LIMIT),
    dry_runs=1_000,
    recorded=1_000,
    would_refuse=tuple(range(101, 1_001)),
)
DRY_RUN = Asking(lane=lane(1_000), ledger=ledger(0), dry_runs=1_000, recorded=0, would_refuse=())


def shadow_facts(**different: Any) -> ShadowFacts:
    honest = ShadowFacts(
        terms=Terms(scene=SHADOW), unguarded=lane(1_000), observed=OBSERVED, dry_run=DRY_RUN
    )
    return replace(honest, **different)


def tokens_facts(**different: Any) -> TokensFacts:
    """Three calls: $0.10, $0.20 and $0.30, each held twice over; the fourth was to cost $0.80."""
    paid = tuple(PRICE * cents for cents in (10, 20, 30))
    calls = tuple(
        BilledCall(at=float(k), microcents=price, body=str(k)) for k, price in enumerate(paid)
    )
    honest = TokensFacts(
        terms=Terms(scene=TOKENS),
        guarded=Lane(
            bill=Bill(requests=3, microcents=sum(paid), calls=calls),
            started=4,
            entered=3,
            answered=3,
            seconds=0.1,
            stopped_by="BUDGET_EXCEEDED",
            refusals=(replace(REFUSAL, call=4),),
        ),
        ledger=Ledger(
            scopes=(replace(scopes()[0], spent=sum(paid), remaining=LIMIT - sum(paid)),) * 5,
            reservations={"COMMITTED": 3},
        ),
        settled=tuple(Settled(estimate=2 * price, actual=price) for price in paid),
        released=paid,
        refused_estimate=80 * PRICE,
    )
    return replace(honest, **different)


def tokens_lane(**different: Any) -> TokensFacts:
    return tokens_facts(guarded=replace(tokens_facts().guarded, **different))
