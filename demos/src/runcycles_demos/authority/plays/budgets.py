"""Authority by numbers: a budget of nothing, a cent more, points of risk, and no server at all."""

from runcycles import Amount, Unit, usd
from runcycles_demos.authority.actions import CENT, EMAIL, ESCALATE, NOTE, POINTS, STATUS
from runcycles_demos.authority.facts import Budget, Expected, Refused, Rows
from runcycles_demos.authority.ledger import lineage
from runcycles_demos.authority.plays.case import (
    CASE,
    DOLLAR,
    NOTE_IT,
    READ_IT,
    TASK,
    WORK,
    WRITE,
    WRITE_CALL,
    give_dollars,
    investigate,
    refused,
    spent,
    toolset_scope,
)
from runcycles_demos.authority.stage import Errand, Stage
from runcycles_demos.authority.terms import APPROVE_ONCE, AUTHORITY_DOWN, RISK_POINTS, ZERO_BUDGET

_WORKED = Rows(notes=1, statuses=1)
_HELD_BACK = Rows(notes=1, statuses=1, reviews=1)
_NO_EMAIL = refused(EMAIL, "BUDGET_EXCEEDED")


def ungated(stage: Stage) -> Expected:
    """Play it with nobody to ask."""
    stage.work(Errand(task=TASK, steps=WORK, run_id="run-1", books=None))
    return Expected(emails=(1,), rows=(_WORKED,))


def zero_budget(stage: Stage) -> Expected:
    """Play it with money for everything but e-mails."""
    books = stage.open_books(f"demo-{ZERO_BUDGET}")
    given = give_dollars(stage.operator, books, emails=0)
    stage.work(Errand(task=TASK, steps=WORK, run_id="run-1", books=books))
    return Expected(
        emails=(0,),
        rows=(_HELD_BACK,),
        refused=(_NO_EMAIL,),
        ledger=spent(given, {NOTE: 1, STATUS: 1, ESCALATE: 1}),
    )


def approve_once(stage: Stage) -> Expected:
    """Play it three times; after the first the operator pays for one e-mail."""
    books = stage.open_books(f"demo-{APPROVE_ONCE}")
    given = give_dollars(stage.operator, books, emails=0)
    stage.work(Errand(task=TASK, steps=WORK, run_id="run-1", books=books))
    scope = toolset_scope(books, EMAIL)
    stage.fund(books, scope, usd("0.01"), "one reply to Jane Lee, approved by the team lead")
    given[scope] = CENT
    again = "The customer still waits for an answer. Write to her."
    for run in ("run-2", "run-3"):
        stage.work(Errand(task=again, steps=(WRITE,), run_id=run, books=books))
    return Expected(
        emails=(0, 1, 0),
        rows=(_HELD_BACK, Rows(), Rows(reviews=1)),
        refused=(_NO_EMAIL, _NO_EMAIL),
        ledger=spent(given, {NOTE: 1, STATUS: 1, EMAIL: 1, ESCALATE: 2}),
        actions=("fund",),
        ended=("answer",) * 3,
    )


def risk_points(stage: Stage) -> Expected:
    """Play it with 100 points of risk for a run: a note is 1, a status 5, an e-mail 40."""
    run = "run-1"
    books = stage.open_books(f"demo-{RISK_POINTS}")
    tenant = books.authority.tenant
    *_, scope, _ = lineage(tenant, workflow=run)
    stage.operator.budget(tenant, scope, Amount(unit=Unit.RISK_POINTS, amount=100))
    steps = (READ_IT, NOTE_IT, investigate(CASE), WRITE, WRITE, WRITE, NOTE_IT)
    task = f"{TASK} Write to her twice more, then append another note."
    stage.work(Errand(task=task, steps=steps, run_id=run, books=books, prices=POINTS, workflow=run))
    return Expected(
        emails=(2,),
        rows=(Rows(notes=2, statuses=1, reviews=1),),
        refused=(_NO_EMAIL,),
        ledger={scope: Budget(allocated=100, spent=1 + 5 + 40 + 40 + 1 + 1)},
    )


def authority_down(stage: Stage) -> Expected:
    """Play it with a server that goes away before the e-mail, and look into its ledger after."""
    name = f"demo-{AUTHORITY_DOWN}"
    operator = stage.operate(stage.start_server(name))
    books = stage.open_books(name, operator)
    given = give_dollars(operator, books, emails=DOLLAR)

    def stop_server() -> None:
        stage.books.clear()
        stage.stop_server(name)

    before = {WRITE_CALL: stop_server}
    stage.work(Errand(task=TASK, steps=WORK, run_id="run-1", books=books, before=before))
    stage.restart_server(name, books)
    error = "CyclesTransportError"
    return Expected(
        emails=(0,),
        rows=(_WORKED,),
        refused=(Refused(tool=EMAIL, http=None, code=error),),
        ledger=spent(given, {NOTE: 1, STATUS: 1}),
        ended=("answer" if stage.terms.fail_open else error,),
        answered=False,
    )
