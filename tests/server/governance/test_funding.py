"""Funding over HTTP: who may, what comes back, and what is refused without a trace."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from runcycles.ledger.state import tenant_key
from runcycles.types import BudgetStatus, TenantStatus
from tests.server.governance.asks import INT64_MAX, PATH, account, amount, fund, kept, new, root
from tests.server.governance.audit_log import the_log
from tests.server.http.conftest import Acme


def credit(value: int, **body: Any) -> dict[str, Any]:
    return {"operation": "CREDIT", "amount": amount(value), **body}


@pytest.fixture
def untouched(acme: Acme) -> Iterator[Acme]:
    """A tenant of whom nothing may be different after the test."""
    before = kept(acme)
    yield acme
    assert kept(acme) == before


def test_a_credit_adds_to_what_is_allocated(acme: Acme) -> None:
    acme.held(amount=400)
    answer = fund(acme, credit(500, reason="more work"))
    assert answer.status_code == 200
    said = answer.json()
    assert said.pop("timestamp")
    assert said == {
        "operation": "CREDIT",
        "previous_allocated": amount(1_000),
        "new_allocated": amount(1_500),
        "previous_remaining": amount(600),
        "new_remaining": amount(1_100),
        "previous_debt": amount(0),
        "new_debt": amount(0),
        "previous_spent": amount(0),
        "new_spent": amount(0),
    }


def test_a_funding_can_be_read_in_the_audit_log(acme: Acme) -> None:
    request_id = fund(acme, credit(500, reason="more work")).headers["X-Request-Id"]
    entry = the_log(acme.server, request_id=request_id)
    assert (entry["operation"], entry["amount"]) == ("fundBudget", amount(500))
    assert entry["metadata"]["reason"] == "more work"


@pytest.mark.parametrize(
    ("body", "figures"),
    [
        ({"operation": "DEBIT", "amount": amount(300)}, (700, 0, 400, 300)),
        ({"operation": "RESET", "amount": amount(300)}, (300, -400, 400, 300)),
        ({"operation": "RESET_SPENT", "amount": amount(300)}, (300, 0, 0, 300)),
        ({"operation": "RESET_SPENT", "amount": amount(9), "spent": amount(7)}, (9, -298, 7, 300)),
        ({"operation": "REPAY_DEBT", "amount": amount(5)}, (1_005, 305, 400, 300)),
    ],
)
def test_every_operation_moves_what_the_protocol_says(
    acme: Acme, body: dict[str, Any], figures: tuple[int, ...]
) -> None:
    acme.held(amount=300)
    assert acme.client.post("/v1/events", json=acme.spend(amount=400)).status_code == 201
    answer = fund(acme, body).json()
    now = account(acme)
    assert (now.allocated, now.remaining, now.spent, now.reserved) == figures
    shown = (answer["new_allocated"], answer["new_remaining"], answer["new_spent"])
    assert tuple(figure["amount"] for figure in shown) == figures[:3]


def test_the_same_funding_twice_is_funded_once(acme: Acme) -> None:
    body = credit(500, idempotency_key="once", metadata={"a": 1, "b": 2})
    again = credit(500, idempotency_key="once", metadata={"b": 2, "a": 1})
    assert fund(acme, body).content == fund(acme, again).content
    assert account(acme).allocated == 1_500


def test_a_funding_is_remembered_even_where_the_budget_is_frozen_since(acme: Acme) -> None:
    body = credit(500, idempotency_key="once")
    first = fund(acme, body)
    acme.server.put(replace(account(acme), status=BudgetStatus.FROZEN))
    assert fund(acme, body).content == first.content


def test_the_same_key_for_another_funding_is_a_conflict(acme: Acme) -> None:
    fund(acme, credit(500, idempotency_key="once"))
    answer = fund(acme, credit(501, idempotency_key="once"))
    assert (answer.status_code, answer.json()["error"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert account(acme).allocated == 1_500


def test_without_a_key_every_funding_counts(acme: Acme) -> None:
    fund(acme, credit(1))
    fund(acme, credit(1))
    assert account(acme).allocated == 1_002


def test_a_key_is_the_scopes_own(acme: Acme) -> None:
    acme.client.post(PATH, json=new(acme, "/app:a"))
    assert fund(acme, credit(1, idempotency_key="k")).status_code == 200
    other = fund(acme, credit(2, idempotency_key="k"), scope=f"tenant:{acme.tenant}/app:a")
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({"operation": "GIVE"}, "INVALID_REQUEST", "operation"),
        ({"amount": amount(-1)}, "INVALID_REQUEST", "amount"),
        ({"amount": amount(INT64_MAX)}, "INVALID_REQUEST", "64-bit"),
        ({"amount": amount(INT64_MAX + 1)}, "INVALID_REQUEST", "amount"),
        ({"amount": {"unit": "TOKENS", "amount": 1.5}}, "INVALID_REQUEST", "amount"),
        ({"amount": amount(1, "CREDITS")}, "UNIT_MISMATCH", "CREDITS"),
        ({"spent": amount(1)}, "INVALID_REQUEST", "RESET_SPENT"),
        ({"operation": "RESET", "spent": amount(0)}, "INVALID_REQUEST", "RESET_SPENT"),
        ({"operation": "RESET_SPENT", "spent": amount(-1)}, "INVALID_REQUEST", "spent.amount"),
        ({"operation": "RESET_SPENT", "spent": amount(1, "CREDITS")}, "UNIT_MISMATCH", "CREDITS"),
        ({"reason": "x" * 513}, "INVALID_REQUEST", "reason"),
        ({"idempotency_key": ""}, "INVALID_REQUEST", "idempotency_key"),
        ({"colour": "red"}, "INVALID_REQUEST", "colour"),
    ],
)
def test_a_wrong_funding_changes_nothing(
    untouched: Acme, body: dict[str, Any], code: str, named: str
) -> None:
    answer = fund(untouched, {**credit(1), **body})
    assert (answer.status_code, answer.json()["error"]) == (400, code)
    assert named in answer.json()["message"]


def test_more_than_remains_cannot_be_taken_away(untouched: Acme) -> None:
    answer = fund(untouched, {"operation": "DEBIT", "amount": amount(1_001)})
    assert (answer.status_code, answer.json()["error"]) == (409, "BUDGET_EXCEEDED")
    assert "has 1000 TOKENS left" in answer.json()["message"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"unit": "EUROS"}, 400, "INVALID_REQUEST"),
        ({"scope": "nonsense"}, 400, "INVALID_REQUEST"),
        ({"scope": ""}, 400, "INVALID_REQUEST"),
        ({"unit": "CREDITS"}, 404, "BUDGET_NOT_FOUND"),
        ({"scope": "tenant:somebody-else"}, 403, "FORBIDDEN"),
    ],
)
def test_funds_need_a_budget_of_ones_own(
    untouched: Acme, query: dict[str, str], status: int, code: str
) -> None:
    answer = fund(untouched, credit(1), **query)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


@pytest.mark.parametrize("operation", ["CREDIT", "DEBIT", "RESET", "RESET_SPENT", "REPAY_DEBT"])
@pytest.mark.parametrize("status", [BudgetStatus.FROZEN, BudgetStatus.CLOSED])
def test_a_budget_that_is_not_active_takes_no_funds(
    acme: Acme, status: BudgetStatus, operation: str
) -> None:
    acme.server.put(replace(account(acme), status=status))
    before = kept(acme)
    answer = fund(acme, {"operation": operation, "amount": amount(1)})
    assert (answer.status_code, answer.json()["error"]) == (409, f"BUDGET_{status}")
    assert kept(acme) == before


def test_a_closed_tenants_budget_takes_no_funds_whatever_its_own_state(
    acme: Acme, admin: httpx.Client
) -> None:
    found = acme.server.run(acme.server.store.get(tenant_key(acme.tenant)))
    acme.server.put(replace(found, status=TenantStatus.CLOSED))
    acme.server.put(replace(account(acme), status=BudgetStatus.FROZEN))
    before = kept(acme)
    where = root(acme, tenant_id=acme.tenant)
    answer = admin.post(f"{PATH}/fund", params=where, json=credit(1))
    assert (answer.status_code, answer.json()["error"]) == (409, "TENANT_CLOSED")
    assert kept(acme) == before


@pytest.mark.parametrize(
    ("named", "field"), [({}, "tenant_id"), ({"tenant_id": "somebody-else"}, "scope")]
)
def test_the_operator_says_whose_budget_it_funds(
    untouched: Acme, admin: httpx.Client, named: dict[str, str], field: str
) -> None:
    answer = admin.post(f"{PATH}/fund", params=root(untouched, **named), json=credit(1))
    assert (answer.status_code, answer.json()["details"]["field"]) == (400, field)


def test_the_operator_funds_whom_he_names(acme: Acme, admin: httpx.Client) -> None:
    where = root(acme, tenant_id=acme.tenant)
    assert admin.post(f"{PATH}/fund", params=where, json=credit(1)).status_code == 200
    assert account(acme).allocated == 1_001


def test_a_tenant_that_names_another_still_funds_its_own(acme: Acme) -> None:
    assert fund(acme, credit(1), tenant_id="somebody-else").status_code == 200
    assert account(acme).allocated == 1_001
