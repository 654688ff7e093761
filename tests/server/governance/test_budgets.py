"""Budgets: made and listed, by an operator for anybody and by a tenant for itself."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from runcycles.ledger.state import tenant_key
from runcycles.types import TenantStatus
from tests.server.governance.asks import INT64_MAX, PATH, amount, new
from tests.server.http.conftest import Acme


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


def test_a_budget_of_nothing_counts_as_unused_whatever_was_spent(three: Acme) -> None:
    where = {"scope": f"tenant:{three.tenant}/agent:all", "unit": "TOKENS"}
    reset = {"operation": "RESET", "amount": amount(0)}
    assert three.client.post(f"{PATH}/fund", params=where, json=reset).status_code == 200
    assert scopes(three.client.get(PATH))[0] == "app:half"
    assert "agent:all" in scopes(three.client.get(PATH, params={"utilization_max": "0"}))


def test_a_list_that_grows_between_its_pages_shows_every_budget_once(three: Acme) -> None:
    query: dict[str, Any] = {"limit": 2, "sort_by": "scope", "sort_dir": "asc"}
    first = three.client.get(PATH, params=query)
    three.client.post(PATH, json=new(three, "/agent:aa"))
    three.client.post(PATH, json=new(three, "/app:zz"))
    rest = three.client.get(PATH, params={**query, "cursor": first.json()["next_cursor"]})
    assert scopes(first) + scopes(rest) == ["", "agent:all", "app:half", "app:zz"]
    assert rest.json()["has_more"] is False


def test_a_stale_cursor_is_refused(three: Acme) -> None:
    cursor = three.client.get(PATH, params={"limit": 1}).json()["next_cursor"]
    answer = three.client.get(PATH, params={"limit": 1, "unit": "TOKENS", "cursor": cursor})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert "start again without a cursor" in answer.json()["message"]


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
