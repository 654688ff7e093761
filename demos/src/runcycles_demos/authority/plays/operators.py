"""Authority by an operator who acts while agents are at work: a freeze, and an emergency stop."""

from collections.abc import Mapping, Sequence

from runcycles_demos.authority.actions import EMAIL, ESCALATE, STATUS
from runcycles_demos.authority.facts import Budget, Expected, Refused, Rows
from runcycles_demos.authority.plays.case import (
    CASE,
    DOLLAR,
    customers,
    email_to,
    give_dollars,
    investigate,
    refused,
    spent,
    toolset_scope,
)
from runcycles_demos.authority.script import Step
from runcycles_demos.authority.stage import Errand, Stage
from runcycles_demos.authority.terms import AGENT_LANE, NEXT_CRM, OTHER_LANE, STOP_ALL

ROWS = 10
_CHANGED = 4  # rows, at the moment of the freeze
_FROZEN = "BUDGET_FROZEN"

MANY = 300  # rows for each of two agents: more than they change before they are stopped
_STOP_AT = 3  # rows of each
_AFTER = 3  # rows for each when the stop is lifted


def next_crm(stage: Stage) -> Expected:
    """Play it with ten rows to change, and an operator who freezes the fourth one's successors."""
    books = stage.open_books(f"demo-{NEXT_CRM}")
    given = give_dollars(stage.operator, books, emails=DOLLAR)
    scope = toolset_scope(books, STATUS)
    steps = tuple(map(investigate, customers(ROWS)))
    task = f"{ROWS} cases were opened by mistake. Change the status of each."

    def freeze() -> None:
        stage.freeze(scope, "the wrong cases, it seems; I am looking into it")

    before = {_CHANGED + 1: freeze}
    stage.work(Errand(task=task, steps=steps, run_id="run-1", books=books, before=before))
    stage.unfreeze(scope, "they were the right ones")
    rest = "Change the status of the cases that are left."
    stage.work(Errand(task=rest, steps=steps[_CHANGED:], run_id="run-2", books=books))
    left = ROWS - _CHANGED
    return Expected(
        emails=(0, 0),
        rows=(Rows(statuses=_CHANGED, reviews=left), Rows(statuses=left)),
        refused=(refused(STATUS, _FROZEN),),
        ledger=spent(given, {STATUS: ROWS, ESCALATE: left}),
        actions=("freeze", "unfreeze"),
        ended=("answer",) * 2,
    )


def stop_all(stage: Stage) -> Expected:
    """Play it with two agents of two tenants, one stop for both, and what it leaves frozen."""
    lanes = (AGENT_LANE, OTHER_LANE)
    books = {lane: stage.open_books(f"demo-{STOP_ALL}-{lane}") for lane in lanes}
    given = {lane: give_dollars(stage.operator, books[lane], emails=DOLLAR) for lane in lanes}
    frozen = toolset_scope(books[OTHER_LANE], EMAIL)
    stage.freeze(frozen, "no e-mails of this one until Monday")
    reason = "something is wrong; everybody stops"
    stop_id = ""

    def stop() -> None:
        nonlocal stop_id
        changed = [stage.permitted(lane, STATUS, phase=1) for lane in lanes]
        if not stop_id and min(changed) >= _STOP_AT:
            stop_id = stage.stop("*", reason)

    def errands(run: str, task: str, steps: Mapping[str, Sequence[Step]]) -> list[Errand]:
        return [
            Errand(task=task, steps=steps[lane], run_id=run, books=books[lane], agent=lane)
            for lane in lanes
        ]

    cases = customers(len(lanes) * MANY)
    every = {
        lane: tuple(map(investigate, cases[at :: len(lanes)])) for at, lane in enumerate(lanes)
    }
    stage.work(*errands("run-1", f"Change the status of {MANY} cases.", every), meanwhile=stop)
    stage.lift(stop_id, "*", reason)
    rest = {lane: (*steps[-_AFTER:], email_to(CASE)) for lane, steps in every.items()}
    then = f"Change the status of {_AFTER} cases, then write to a customer."
    stage.work(*errands("run-2", then, rest))
    changed = {lane: stage.permitted(lane, STATUS, phase=1) for lane in lanes}
    ledger: dict[str, Budget] = {}
    for lane in lanes:
        own = {EMAIL: 1} if lane == AGENT_LANE else {ESCALATE: 1}
        ledger |= spent(given[lane], {STATUS: changed[lane] + _AFTER, **own})
    return Expected(
        emails=(0, 1),
        rows=(Rows(statuses=sum(changed.values())), Rows(statuses=2 * _AFTER, reviews=1)),
        refused=(*_stopped(), *_stopped(), refused(EMAIL, _FROZEN)),
        ledger=ledger,
        actions=("freeze", "stop", "lift"),
        ended=("answer",) * 4,
        stops=True,
    )


def _stopped() -> tuple[Refused, ...]:
    """What an agent is refused that was stopped: its next step, and to tell a human of it."""
    return refused(STATUS, _FROZEN), refused(ESCALATE, _FROZEN)
