"""What the audit log says about what was done to a budget."""

from typing import Any

import pytest

from runcycles.errors import CyclesProtocolError
from runcycles.ledger.funding import FundOperation
from runcycles.types import Unit, tokens
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.governance.budgets import commands
from runcycles_server.governance.budgets.bodies import BudgetCreate, BudgetUpdate, Freeze, Fund
from runcycles_server.governance.budgets.places import place_of
from runcycles_server.governance.operator import Operator
from runcycles_server.governance.tenants import commands as tenants
from runcycles_server.governance.tenants.bodies import TenantCreate
from tests.server.governance.written import ShownStore

AT = place_of("tenant:acme", Unit.TOKENS)
OPERATOR = Actor(request_id="r" * 32, trace_id="t" * 32)
TENANT = Actor(tenant="acme", key_id="key_1")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store() -> ShownStore:
    store = ShownStore()
    await store.start()
    operator = Operator(store)
    await tenants.create(operator, TenantCreate(tenant_id="acme", name="Acme"), OPERATOR)
    request = BudgetCreate(scope=AT.scope, unit=AT.unit, allocated=tokens(1_000))
    await commands.create(operator, request, OPERATOR, tenant="acme")
    store.written.clear()
    return store


def told(store: ShownStore) -> dict[str, Any]:
    """What the one entry says, whoever did it."""
    (entry,) = store.entries
    assert (entry.resource_type, entry.resource_id) == ("budget", "tenant:acme:TOKENS")
    assert (entry.tenant_id, entry.status, entry.details is None) == ("acme", 200, False)
    return {"operation_id": entry.operation, **(entry.details or {})}


async def test_a_funding_is_written_down_with_the_protocols_figures(store: ShownStore) -> None:
    request = Fund(operation=FundOperation.CREDIT, amount=tokens(500), reason="more work")
    await commands.fund(Operator(store), request, OPERATOR, AT)
    said = told(store)
    assert said.pop("before")["allocated"] == 1_000
    assert said.pop("after")["allocated"] == 1_500
    assert said == {
        "operation_id": "fundBudget",
        "actor_type": "admin_on_behalf_of",
        "operation": "CREDIT",
        "amount": {"unit": "TOKENS", "amount": 500},
        "reason": "more work",
        "previous_allocated": 1_000,
        "new_allocated": 1_500,
        "previous_remaining": 1_000,
        "new_remaining": 1_500,
        "previous_debt": 0,
        "new_debt": 0,
        "previous_spent": 0,
        "new_spent": 0,
    }


@pytest.mark.parametrize("spent", [None, tokens(0)])
async def test_a_new_period_says_whether_it_was_told_what_is_spent(
    store: ShownStore, spent: Any
) -> None:
    request = Fund(operation=FundOperation.RESET_SPENT, amount=tokens(5), spent=spent)
    await commands.fund(Operator(store), request, TENANT, AT)
    said = told(store)
    assert said["spent_override_provided"] == (spent is not None)
    assert said["actor_type"] == "api_key"


async def test_a_repeated_funding_is_written_down_once(store: ShownStore) -> None:
    request = Fund(
        operation=FundOperation.DEBIT, amount=tokens(1), idempotency_key="k", metadata={"a": 1}
    )
    for _ in range(2):
        await commands.fund(Operator(store), request, OPERATOR, AT)
    assert told(store)["metadata"] == {"a": 1}


async def test_a_freeze_is_written_down_with_its_reason(store: ShownStore) -> None:
    request = Freeze(reason="look closer", metadata={"ticket": 7})
    await commands.freeze(Operator(store), request, OPERATOR, AT)
    said = told(store)
    assert (said["operation_id"], said["reason"]) == ("freezeBudget", "look closer")
    assert (said["before"]["status"], said["after"]["status"]) == ("ACTIVE", "FROZEN")
    assert said["metadata"] == {"ticket": 7}


async def test_what_was_refused_or_already_so_is_no_deed(store: ShownStore) -> None:
    with pytest.raises(CyclesProtocolError):
        await commands.unfreeze(Operator(store), Freeze(), OPERATOR, AT)
    await commands.update(Operator(store), BudgetUpdate(overdraft_limit=tokens(0)), OPERATOR, AT)
    assert store.written == []
