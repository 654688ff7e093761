"""The scenes: who is given what authority, what the agent then does, and what must be true after.

A scene returns what it claims. Whether that is so is for the witnesses to say.
"""

from collections.abc import Callable
from dataclasses import dataclass

from runcycles import Amount, Unit, usd
from runcycles.types import MICROCENTS_PER_USD
from runcycles_demos.authority.actions import (
    CENT,
    EMAIL,
    ESCALATE,
    NOTE,
    POINTS,
    READ,
    STATUS,
)
from runcycles_demos.authority.facts import Budget, Expected, Refused, Rows
from runcycles_demos.authority.ledger import lineage
from runcycles_demos.authority.operator import Operator
from runcycles_demos.authority.script import Step
from runcycles_demos.authority.stage import Books, Errand, Stage
from runcycles_demos.authority.terms import (
    APPROVE_ONCE,
    AUTHORITY_DOWN,
    RISK_POINTS,
    UNGATED,
    ZERO_BUDGET,
)
from runcycles_demos.authority.world.crm import Case
from runcycles_demos.kit.verdicts import HTTP_CONFLICT

DOLLAR = MICROCENTS_PER_USD
CASE = Case(
    id="4782",
    customer="Acme Corp",
    contact="Jane Lee",
    email="jane@acme.example",
    problem="The invoice for March says $847, the contract says $720 a month.",
)
INVESTIGATING = "Investigating"
_TASK = (
    f"Work on case #{CASE.id}: read it, append an internal note, change its status to "
    f"{INVESTIGATING} and write to the customer."
)
_EXCEEDED = "BUDGET_EXCEEDED"
_NOTE = Step(
    tool=NOTE,
    case=CASE.id,
    arguments={"case_id": CASE.id, "text": "The invoice is $127 above the contract."},
)
_STATUS = Step(tool=STATUS, case=CASE.id, arguments={"case_id": CASE.id, "status": INVESTIGATING})
_READ = Step(tool=READ, case=CASE.id, arguments={"case_id": CASE.id})
_EMAIL = Step(
    tool=EMAIL,
    case=CASE.id,
    arguments={
        "to": CASE.email,
        "subject": f"Your case #{CASE.id}",
        "body": "You were billed $127 too much. We are sorry, and will correct the invoice.",
    },
)
_WORK = (_READ, _NOTE, _STATUS, _EMAIL)
_WORKED = Rows(notes=1, statuses=1)
_EMAIL_CALL = 4  # the model's answer in which it asks for the e-mail
_NO_EMAIL = Refused(tool=EMAIL, http=HTTP_CONFLICT, code=_EXCEEDED)


def ungated(stage: Stage) -> Expected:
    """Play it with nobody to ask."""
    stage.work(Errand(task=_TASK, steps=_WORK, run_id="run-1", books=None))
    return Expected(emails=(1,), rows=(_WORKED,))


def zero_budget(stage: Stage) -> Expected:
    """Play it with money for everything but e-mails."""
    books = stage.open_books(f"demo-{ZERO_BUDGET}")
    given = _give_dollars(stage.operator, books, emails=0)
    stage.work(Errand(task=_TASK, steps=_WORK, run_id="run-1", books=books))
    return Expected(
        emails=(0,),
        rows=(Rows(notes=1, statuses=1, reviews=1),),
        refused=(_NO_EMAIL,),
        ledger=_spent(given, {NOTE: 2, STATUS: 1}),
    )


def approve_once(stage: Stage) -> Expected:
    """Play it three times; after the first the operator pays for one e-mail."""
    books = stage.open_books(f"demo-{APPROVE_ONCE}")
    given = _give_dollars(stage.operator, books, emails=0)
    again = "The customer still waits for an answer. Write to her."
    stage.work(Errand(task=_TASK, steps=_WORK, run_id="run-1", books=books))
    scope = f"{_agent_scope(books)}/toolset:send-email"
    stage.fund(books, scope, usd("0.01"), "one reply to Jane Lee, approved by the team lead")
    given[scope] = CENT
    for run in ("run-2", "run-3"):
        stage.work(Errand(task=again, steps=(_EMAIL,), run_id=run, books=books))
    refused = Rows(notes=1, statuses=1, reviews=1)
    return Expected(
        emails=(0, 1, 0),
        rows=(refused, Rows(), Rows(reviews=1)),
        refused=(_NO_EMAIL, _NO_EMAIL),
        ledger=_spent(given, {NOTE: 3, STATUS: 1, EMAIL: 1}),
        actions=("fund",),
        ended=("answer",) * 3,
    )


def risk_points(stage: Stage) -> Expected:
    """Play it with 100 points of risk for a run: a note is 1, a status 5, an e-mail 40."""
    run = "run-1"
    books = stage.open_books(f"demo-{RISK_POINTS}")
    (scope,) = lineage(books.authority.tenant, workflow=run)[3:4]
    points = Amount(unit=Unit.RISK_POINTS, amount=100)
    stage.operator.budget(books.authority.tenant, scope, points)
    steps = (_READ, _NOTE, _STATUS, _EMAIL, _EMAIL, _EMAIL, _NOTE)
    task = f"{_TASK} Write to her twice more, then append another note."
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
    server = stage.start_server(name)
    operator = stage.operate(server)
    books = stage.open_books(name, operator)
    given = _give_dollars(operator, books, emails=DOLLAR)

    def stop_server() -> None:
        stage.books.clear()
        stage.stop_server(name)

    stage.work(
        Errand(
            task=_TASK,
            steps=_WORK,
            run_id="run-1",
            books=books,
            before={_EMAIL_CALL: stop_server},
        )
    )
    stage.restart_server(name, books)
    error = "CyclesTransportError"
    return Expected(
        emails=(0,),
        rows=(_WORKED,),
        refused=(Refused(tool=EMAIL, http=None, code=error),),
        ledger=_spent(given, {NOTE: 1, STATUS: 1}),
        ended=("answer" if stage.terms.fail_open else error,),
        escalates=False,
    )


def _agent_scope(books: Books) -> str:
    return lineage(books.authority.tenant)[-1]


def _give_dollars(operator: Operator, books: Books, *, emails: int) -> dict[str, int]:
    """Give a dollar to every level and toolset, and this to e-mails; return what was given."""
    agent = _agent_scope(books)
    given = dict.fromkeys(lineage(books.authority.tenant), DOLLAR)
    given |= {f"{agent}/toolset:internal-notes": DOLLAR, f"{agent}/toolset:crm-updates": DOLLAR}
    given[f"{agent}/toolset:send-email"] = emails
    for scope, amount in given.items():
        allocated = Amount(unit=Unit.USD_MICROCENTS, amount=amount)
        operator.budget(books.authority.tenant, scope, allocated)
    return given


_TOOLSETS = {NOTE: "internal-notes", STATUS: "crm-updates", EMAIL: "send-email"}


def _spent(given: dict[str, int], calls: dict[str, int]) -> dict[str, Budget]:
    """Return what so many calls at a cent each leave of what was given; escalating is a note."""
    by_toolset = {_TOOLSETS[tool]: CENT * count for tool, count in calls.items()}
    total = sum(by_toolset.values())

    def spent(scope: str) -> int:
        _, found, toolset = scope.partition("/toolset:")
        return by_toolset.get(toolset, 0) if found else total

    return {scope: Budget(allocated=got, spent=spent(scope)) for scope, got in given.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A scene and the words for it."""

    play: Callable[[Stage], Expected]
    headline: str
    story: str
    rules: tuple[tuple[str, str], ...] = ()
    """What each tool is permitted, in words."""

    cases: tuple[Case, ...] = (CASE,)


SCENES = {
    UNGATED: Scene(
        play=ungated,
        headline="A support agent with five tools, and nobody to ask.",
        story=(
            "It reads a case, appends a note, changes the status and writes to the customer. "
            "Nothing is between its tools and the world."
        ),
    ),
    ZERO_BUDGET: Scene(
        play=zero_budget,
        headline="The same agent, and a budget of $0.00 for e-mails.",
        story=(
            "There is a dollar for everything else, so money is not the point: it may take notes "
            "and change the CRM by itself, and may not write to customers."
        ),
        rules=(
            (NOTE, "$1.00"),
            (STATUS, "$1.00"),
            (EMAIL, "$0.00"),
            (ESCALATE, "as the notes"),
        ),
    ),
    APPROVE_ONCE: Scene(
        play=approve_once,
        headline="One e-mail, approved by the operator.",
        story=(
            "It may not write to customers. After its first attempt the operator puts one cent "
            "into that budget, the price of one e-mail. The second attempt goes out, the third "
            "does not."
        ),
        rules=((EMAIL, "$0.00, + $0.01"),),
    ),
    RISK_POINTS: Scene(
        play=risk_points,
        headline="A hundred points of risk for one run.",
        story=(
            "A note costs 1 point, a change of status 5, an e-mail 40. After two e-mails a third "
            "is too much for what is left; a note is not, so the agent goes on with less."
        ),
        rules=((NOTE, "1 of 100 points"), (STATUS, "5 of 100"), (EMAIL, "40 of 100")),
    ),
    AUTHORITY_DOWN: Scene(
        play=authority_down,
        headline="The authority is gone in the middle of the work.",
        story=(
            "The server is stopped before the agent asks for the e-mail, for which there is "
            "money. Nobody can say yes, so the answer is no. Then the server is started again, "
            "to read its books."
        ),
        rules=((EMAIL, "$1.00, but nobody to ask"),),
    ),
}
