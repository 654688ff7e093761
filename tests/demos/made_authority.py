"""The facts of a scene in which everything went as claimed, for tests to spoil."""

from dataclasses import replace
from typing import Any

from runcycles_demos.authority.actions import CENT, EMAIL, ESCALATE, NOTE
from runcycles_demos.authority.facts import (
    Agent,
    Budget,
    Deed,
    Expected,
    Facts,
    Happened,
    Kept,
    Refused,
    Rows,
    Turn,
)
from runcycles_demos.authority.terms import ZERO_BUDGET, Terms
from runcycles_demos.authority.world import effects

CODE = "BUDGET_EXCEEDED"
AGENT = Agent(code="c0de", first_question="f1r57")
LEDGER = {"tenant:demo": Budget(allocated=100 * CENT, spent=2 * CENT)}
EXPECTED = Expected(
    emails=(0,),
    rows=(Rows(notes=1, reviews=1),),
    refused=(Refused(tool=EMAIL, http=409, code=CODE),),
    ledger=LEDGER,
    actions=("fund",),
)


def turn(tool: str, at: float, **different: Any) -> Turn:
    permitted = Turn(
        tool=tool, phase=1, lane="agent", wanted_at=at, asked=True, allowed=True, entered=1, told=""
    )
    return replace(permitted, **different)


NOTED = turn(NOTE, 1.0)
REFUSED = turn(EMAIL, 2.0, allowed=False, http=409, code=CODE, entered=0, told=f"no: {CODE}")
ESCALATED = turn(ESCALATE, 3.0)


def happened(kind: str, at: float, phase: int = 1) -> Happened:
    return Happened(at=at, phase=phase, kind=kind, case="4782")


KEPT = Kept(reason=CODE, failed_step="enough_remaining", audited=CODE)
FUNDED = Deed(action="fund", at=2.5, reason="once", actor="admin", audited_reason="once")
EFFECTS = (happened(effects.NOTE, 1.1), happened(effects.REVIEW, 3.1))


def facts(**different: Any) -> Facts:
    honest = Facts(
        terms=Terms(scene=ZERO_BUDGET),
        expected=EXPECTED,
        turns=(NOTED, REFUSED, ESCALATED),
        ended=("answer",),
        effects=EFFECTS,
        tables=EXPECTED.rows[0],
        ledger=LEDGER,
        kept=(KEPT,),
        deeds=(FUNDED,),
        agent=AGENT,
        ungated=AGENT,
    )
    return replace(honest, **different)
