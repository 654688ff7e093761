"""Budgets: made, listed and funded, by an operator for anybody and by a tenant for itself."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from runcycles.ledger.state import account_key, tenant_key
from runcycles.types import BudgetStatus, TenantStatus, Unit
from tests.server.http.conftest import Acme

PATH = "/v1/admin/budgets"
INT64_MAX = 2**63 - 1


def amount(value: int, unit: str = "TOKENS") -> dict[str, Any]:
    return {"unit": unit, "amount": value}


def new(acme: Acme, scope: str, allocated: int = 100, **body: Any) -> dict[str, Any]:
    return {
        "scope": f"tenant:{acme.tenant}{scope}",
        "unit": "TOKENS",
        "allocated": amount(allocated),
        **body,
    }


def fund(acme: Acme, body: dict[str, Any], **query: str) -> httpx.Response:
    where = {"scope": f"tenant:{acme.tenant}", "unit": "TOKENS", **query}
    return acme.client.post(f"{PATH}/fund", params=where, json=body)


def credit(value: int, **body: Any) -> dict[str, Any]:
    return {"operation": "CREDIT", "amount": amount(value), **body}


def allocated(acme: Acme) -> int:
    page = acme.client.get(PATH, params={"scope_prefix": f"tenant:{acme.tenant}"}).json()
    return int(page["ledgers"][0]["allocated"]["amount"])


def test_a_tenant_makes_a_budget_of_its_own(acme: Acme) -> None:
    answer = acme.client.post(PATH, json=new(acme, "/agent:Writer", 80))
    assert answer.status_code == 201
    made = answer.json()
    assert made["scope"] == f"tenant:{acme.tenant}/agent:writer"
    assert (made["remaining"], made["spent"], made["status"]) == (amount(80), amount(0), "ACTIVE")
    assert acme.reserve(subject=acme.subject(agent="WRITER"), amount=81).status_code == 409
    assert acme.reserve(subject=acme.subject(agent="WRITER"), amount=80).status_code == 200


def test_the_operator_says_whose_budget_it_is_and_a_tenant_does_not(acme: Acme) -> None:
    body = new(acme, "/app:a")
    own = acme.client.post(PATH, json={**body, "tenant_id": acme.tenant})
    assert (own.status_code, own.json()["details"]["field"]) == (400, "tenant_id")
    with acme.server.admin() as admin:
        nobodys = admin.post(PATH, json=body)
        assert (nobodys.status_code, nobodys.json()["details"]["field"]) == (400, "tenant_id")
        assert admin.post(PATH, json={**body, "tenant_id": acme.tenant}).status_code == 201
        unknown = {**body, "tenant_id": "nobody", "scope": "tenant:nobody"}
        answer = admin.post(PATH, json=unknown)
    assert (answer.status_code, answer.json()["error"]) == (404, "TENANT_NOT_FOUND")


def test_an_operator_cannot_give_a_tenant_anothers_scope(acme: Acme) -> None:
    other = acme.server.tenant()
    with acme.server.admin() as admin:
        answer = admin.post(PATH, json={**new(acme, "/app:a"), "tenant_id": other})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")


def test_a_second_budget_for_the_same_scope_and_unit_is_a_duplicate(acme: Acme) -> None:
    answer = acme.client.post(PATH, json=new(acme, ""))
    assert (answer.status_code, answer.json()["error"]) == (409, "DUPLICATE_RESOURCE")
    other_unit = {**new(acme, ""), "unit": "CREDITS", "allocated": amount(5, "CREDITS")}
    assert acme.client.post(PATH, json=other_unit).status_code == 201


@pytest.mark.parametrize(
    "scope",
    [
        "/agent:",
        "/agent:-a",
        "/agent:a-",
        "/agent:a b",
        "/agent:" + "x" * 129,
        "/agent:a/app:b",
        "/app:a/app:b",
        "/colour:red",
        "/agent",
        "/",
        "/agent:*",
    ],
)
def test_a_scope_that_no_subject_can_have_gets_no_budget(acme: Acme, scope: str) -> None:
    answer = acme.client.post(PATH, json=new(acme, scope))
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert "scope" in answer.json()["message"]


def test_a_scope_starts_with_its_tenant(acme: Acme) -> None:
    answer = acme.client.post(PATH, json={**new(acme, ""), "scope": "agent:a"})
    assert answer.status_code == 400
    assert "tenant:" in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({"allocated": amount(-1)}, "INVALID_REQUEST", "allocated.amount"),
        ({"allocated": amount(INT64_MAX + 1)}, "INVALID_REQUEST", "allocated.amount"),
        ({"unit": "EUROS"}, "INVALID_REQUEST", "unit"),
        ({"allocated": amount(1, "CREDITS")}, "UNIT_MISMATCH", "allocated"),
        ({"overdraft_limit": amount(1, "CREDITS")}, "UNIT_MISMATCH", "overdraft_limit"),
        ({"rollover_policy": "MAYBE"}, "INVALID_REQUEST", "rollover_policy"),
        ({"period_start": "yesterday"}, "INVALID_REQUEST", "period_start"),
        ({"colour": "red"}, "INVALID_REQUEST", "colour"),
    ],
)
def test_a_wrong_budget_is_not_made(
    acme: Acme, body: dict[str, Any], code: str, named: str
) -> None:
    answer = acme.client.post(PATH, json={**new(acme, "/app:a"), **body})
    assert (answer.status_code, answer.json()["error"]) == (400, code)
    assert named in answer.json()["message"]
    assert len(acme.client.get(PATH).json()["ledgers"]) == 1


@pytest.mark.parametrize(
    ("status", "answered"), [(TenantStatus.SUSPENDED, 400), (TenantStatus.CLOSED, 409)]
)
def test_only_an_active_tenant_gets_new_budgets(
    acme: Acme, status: TenantStatus, answered: int
) -> None:
    found = acme.server.run(acme.server.store.get(tenant_key(acme.tenant)))
    acme.server.put(replace(found, status=status))
    with acme.server.admin() as admin:
        answer = admin.post(PATH, json={**new(acme, "/app:a"), "tenant_id": acme.tenant})
    assert answer.status_code == answered


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


def test_the_same_funding_twice_is_funded_once(acme: Acme) -> None:
    body = credit(500, idempotency_key="once", metadata={"a": 1, "b": 2})
    again = credit(500, idempotency_key="once", metadata={"b": 2, "a": 1})
    assert fund(acme, body).content == fund(acme, again).content
    assert allocated(acme) == 1_500


def test_the_same_key_for_another_funding_is_a_conflict(acme: Acme) -> None:
    fund(acme, credit(500, idempotency_key="once"))
    answer = fund(acme, credit(501, idempotency_key="once"))
    assert (answer.status_code, answer.json()["error"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert allocated(acme) == 1_500


def test_without_a_key_every_funding_counts(acme: Acme) -> None:
    fund(acme, credit(1))
    fund(acme, credit(1))
    assert allocated(acme) == 1_002


def test_a_key_is_the_scopes_own(acme: Acme) -> None:
    acme.client.post(PATH, json=new(acme, "/app:a"))
    assert fund(acme, credit(1, idempotency_key="k")).status_code == 200
    other = fund(acme, credit(2, idempotency_key="k"), scope=f"tenant:{acme.tenant}/app:a")
    assert other.status_code == 200


def test_a_credit_that_would_leave_int64_changes_nothing(acme: Acme) -> None:
    answer = fund(acme, credit(INT64_MAX))
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert "amount" in answer.json()["message"]
    assert allocated(acme) == 1_000


@pytest.mark.parametrize("operation", ["DEBIT", "RESET", "RESET_SPENT", "REPAY_DEBT"])
def test_what_is_not_supported_says_what_is(acme: Acme, operation: str) -> None:
    answer = fund(acme, {"operation": operation, "amount": amount(1)})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert "CREDIT" in answer.json()["message"]
    assert allocated(acme) == 1_000


@pytest.mark.parametrize(
    ("body", "query", "status", "code"),
    [
        ({"operation": "GIVE"}, {}, 400, "INVALID_REQUEST"),
        ({"spent": amount(1)}, {}, 400, "INVALID_REQUEST"),
        ({"amount": amount(1, "CREDITS")}, {}, 400, "UNIT_MISMATCH"),
        ({}, {"unit": "EUROS"}, 400, "INVALID_REQUEST"),
        ({}, {"scope": "nonsense"}, 400, "INVALID_REQUEST"),
        ({}, {"unit": "CREDITS"}, 404, "BUDGET_NOT_FOUND"),
        ({}, {"scope": "tenant:somebody-else"}, 403, "FORBIDDEN"),
    ],
)
def test_a_wrong_funding_changes_nothing(
    acme: Acme, body: dict[str, Any], query: dict[str, str], status: int, code: str
) -> None:
    answer = fund(acme, {**credit(1), **body}, **query)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert allocated(acme) == 1_000


def test_the_scope_is_not_optional(acme: Acme) -> None:
    answer = acme.client.post(f"{PATH}/fund", params={"unit": "TOKENS"}, json=credit(1))
    assert (answer.status_code, answer.json()["details"]["field"]) == (400, "scope")


@pytest.mark.parametrize("status", [BudgetStatus.FROZEN, BudgetStatus.CLOSED])
def test_a_budget_that_is_not_active_takes_no_funds(acme: Acme, status: BudgetStatus) -> None:
    key = account_key(acme.tenant, f"tenant:{acme.tenant}", Unit.TOKENS)
    acme.server.put(replace(acme.server.run(acme.server.store.get(key)), status=status))
    answer = fund(acme, credit(1))
    assert (answer.status_code, answer.json()["error"]) == (409, f"BUDGET_{status}")


def test_a_closed_tenants_budget_takes_no_funds(acme: Acme) -> None:
    found = acme.server.run(acme.server.store.get(tenant_key(acme.tenant)))
    acme.server.put(replace(found, status=TenantStatus.CLOSED))
    where = {"scope": f"tenant:{acme.tenant}", "unit": "TOKENS", "tenant_id": acme.tenant}
    with acme.server.admin() as admin:
        answer = admin.post(f"{PATH}/fund", params=where, json=credit(1))
    assert (answer.status_code, answer.json()["error"]) == (409, "TENANT_CLOSED")


def test_the_operator_funds_whom_he_names(acme: Acme) -> None:
    where = {"scope": f"tenant:{acme.tenant}", "unit": "TOKENS"}
    with acme.server.admin() as admin:
        nobody = admin.post(f"{PATH}/fund", params=where, json=credit(1))
        assert (nobody.status_code, nobody.json()["details"]["field"]) == (400, "tenant_id")
        named = admin.post(
            f"{PATH}/fund", params={**where, "tenant_id": acme.tenant}, json=credit(1)
        )
        assert named.status_code == 200
    assert allocated(acme) == 1_001


def scopes(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["scope"].partition("/")[2] for row in answer.json()["ledgers"]]


@pytest.fixture
def three(acme: Acme) -> Acme:
    """A root without use, an app half used, an agent used up and in debt."""
    policy = {"commit_overage_policy": "ALLOW_WITH_OVERDRAFT"}
    acme.client.post(PATH, json=new(acme, "/app:half", 100))
    acme.client.post(PATH, json=new(acme, "/agent:all", 100, overdraft_limit=amount(50), **policy))
    halves = acme.spend("h", 50, subject=acme.subject(app="half"))
    everything = acme.spend("a", 120, subject=acme.subject(agent="all"))
    for body in (halves, everything):
        assert acme.client.post("/v1/events", json=body).status_code == 201
    return acme


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["agent:all", "app:half", ""]),
        ({"sort_dir": "asc"}, ["", "app:half", "agent:all"]),
        ({"sort_by": "scope", "sort_dir": "asc"}, ["", "agent:all", "app:half"]),
        ({"sort_by": "debt"}, ["agent:all"]),
        ({"has_debt": "true"}, ["agent:all"]),
        ({"over_limit": "true"}, []),
        ({"utilization_min": "0.5", "utilization_max": "0.9"}, ["app:half"]),
        ({"utilization_max": "0.2"}, [""]),
        ({"search": "HALF"}, ["app:half"]),
        ({"status": "FROZEN"}, []),
        ({"unit": "CREDITS"}, []),
    ],
)
def test_a_tenant_finds_its_own_budgets(
    three: Acme, query: dict[str, str], found: list[str]
) -> None:
    listed = scopes(three.client.get(PATH, params=query))
    assert listed[: len(found)] == found
    assert query.get("sort_by") == "debt" or len(listed) == len(found)


def test_the_operator_finds_everybodys(three: Acme) -> None:
    with three.server.admin() as admin:
        query: dict[str, Any] = {"tenant_id": three.tenant, "limit": 2}
        first = admin.get(PATH, params=query)
        rest = admin.get(PATH, params={**query, "cursor": first.json()["next_cursor"]})
        assert scopes(first) + scopes(rest) == ["agent:all", "app:half", ""]
        everybody = admin.get(PATH, params={"limit": 100}).json()["ledgers"]
    assert len({row["tenant_id"] for row in everybody}) > 1


def test_a_tenant_that_names_another_still_sees_its_own(acme: Acme) -> None:
    other = acme.server.tenant()
    page = acme.client.get(PATH, params={"tenant_id": other}).json()
    assert {row["tenant_id"] for row in page["ledgers"]} == {acme.tenant}


@pytest.mark.parametrize(
    "query",
    [
        {"utilization_min": "0.9", "utilization_max": "0.1"},
        {"utilization_min": "2"},
        {"utilization_max": "nan"},
        {"sort_by": "colour"},
        {"over_limit": "perhaps"},
    ],
)
def test_a_wrong_list_names_the_parameter(acme: Acme, query: dict[str, str]) -> None:
    answer = acme.client.get(PATH, params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert next(iter(query)) in answer.json()["message"]
