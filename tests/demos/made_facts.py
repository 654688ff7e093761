"""The facts of a race in which everything went as claimed, for tests to spoil."""

from dataclasses import replace
from typing import Any

from runcycles_demos.kit.meter import Bill, BilledCall
from runcycles_demos.runaway.facts import (
    Facts,
    Lane,
    Ledger,
    LoggedRefusal,
    Refusal,
    Replay,
    ScopeBalance,
)
from runcycles_demos.runaway.terms import LIMIT, PRICE, Terms

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
