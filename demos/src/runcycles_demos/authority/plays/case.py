"""What the scenes have in common: a case, the work on it, and money to do it with."""

from collections.abc import Mapping

from runcycles import Amount, Unit
from runcycles.types import MICROCENTS_PER_USD
from runcycles_demos.authority.actions import CENT, EMAIL, NOTE, READ, STATUS, actions
from runcycles_demos.authority.facts import Budget, Refused
from runcycles_demos.authority.ledger import lineage
from runcycles_demos.authority.operator import Operator
from runcycles_demos.authority.script import Step
from runcycles_demos.authority.stage import Books
from runcycles_demos.authority.world.crm import Case
from runcycles_demos.kit.verdicts import HTTP_CONFLICT

DOLLAR = MICROCENTS_PER_USD
INVESTIGATING = "Investigating"
CASE = Case(
    id="4782",
    customer="Acme Corp",
    contact="Jane Lee",
    email="jane@acme.example",
    problem="The invoice for March says $847, the contract says $720 a month.",
)


def email_to(case: Case) -> Step:
    """Return the step that writes to the customer of a case."""
    arguments = {
        "to": case.email,
        "subject": f"Your case #{case.id}",
        "body": f"Dear {case.contact}, you were billed too much. We will correct the invoice.",
    }
    return Step(tool=EMAIL, case=case.id, arguments=arguments)


def investigate(case: Case) -> Step:
    """Return the step that changes the status of a case."""
    arguments = {"case_id": case.id, "status": INVESTIGATING}
    return Step(tool=STATUS, case=case.id, arguments=arguments)


READ_IT = Step(tool=READ, case=CASE.id, arguments={"case_id": CASE.id})
NOTE_IT = Step(
    tool=NOTE,
    case=CASE.id,
    arguments={"case_id": CASE.id, "text": "The invoice is $127 above the contract."},
)
WRITE = email_to(CASE)
WORK = (READ_IT, NOTE_IT, investigate(CASE), WRITE)
WRITE_CALL = len(WORK)  # the model's answer in which it asks for the e-mail
TASK = (
    f"Work on case #{CASE.id}: read it, append an internal note, change its status to "
    f"{INVESTIGATING} and write to the customer."
)


def refused(tool: str, code: str, *, policy: str | None = None) -> Refused:
    """Return a refusal as the protocol has it: 409, and the code."""
    return Refused(tool=tool, http=HTTP_CONFLICT, code=code, policy=policy)


def customers(count: int) -> tuple[Case, ...]:
    """Return so many cases of different customers."""
    return tuple(
        Case(
            id=str(5001 + number),
            customer=f"Customer {number + 1}",
            contact="Sir or Madam",
            email=f"customer-{number + 1}@example.com",
            problem="An invoice that is too high.",
        )
        for number in range(count)
    )


def agent_scope(books: Books) -> str:
    """Return the scope of the agent of a tenant."""
    return lineage(books.authority.tenant)[-1]


def toolset_scope(books: Books, tool: str) -> str:
    """Return the scope of a tool's own toolset."""
    return f"{agent_scope(books)}/toolset:{actions()[tool].toolset}"


def give_dollars(
    operator: Operator, books: Books, *, emails: int, rest: int = DOLLAR
) -> dict[str, int]:
    """Give this to e-mails, and that to every level and other toolset; return what was given."""
    given = dict.fromkeys(lineage(books.authority.tenant), rest)
    given |= {toolset_scope(books, NOTE): rest, toolset_scope(books, STATUS): rest}
    given[toolset_scope(books, EMAIL)] = emails
    for scope, amount in given.items():
        allocated = Amount(unit=Unit.USD_MICROCENTS, amount=amount)
        operator.budget(books.authority.tenant, scope, allocated)
    return given


def spent(given: Mapping[str, int], calls: Mapping[str, int]) -> dict[str, Budget]:
    """Return what so many calls at a cent each leave of what was given."""
    by_toolset: dict[str | None, int] = {}
    for tool, count in calls.items():
        toolset = actions()[tool].toolset
        by_toolset[toolset] = by_toolset.get(toolset, 0) + CENT * count
    total = sum(by_toolset.values())

    def gone(scope: str) -> int:
        _, found, toolset = scope.partition("/toolset:")
        return by_toolset.get(toolset, 0) if found else total

    return {scope: Budget(allocated=got, spent=gone(scope)) for scope, got in given.items()}
