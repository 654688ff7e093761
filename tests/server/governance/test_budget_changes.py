"""One budget: looked up, changed, frozen, unfrozen and capped."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from runcycles.ledger.state import tenant_key
from runcycles.types import BudgetStatus, TenantStatus
from tests.server.governance.asks import PATH, account, amount, fund, kept, new, root
from tests.server.http.conftest import Acme

CAPS = "/v1/x-runcycles/budgets"
CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", PATH, {"metadata": {"team": "blue"}}),
    ("POST", f"{PATH}/freeze", {"reason": "look closer"}),
    ("POST", f"{PATH}/unfreeze", {}),
    ("PATCH", CAPS, {"caps": {"max_tokens": 5}}),
]


def lookup(client: httpx.Client, acme: Acme, **query: str) -> httpx.Response:
    return client.get(f"{PATH}/lookup", params=root(acme, **query))


def patch(client: httpx.Client, acme: Acme, **body: Any) -> httpx.Response:
    return client.patch(PATH, params=root(acme), json=body)


def switch(client: httpx.Client, acme: Acme, word: str, **said: Any) -> httpx.Response:
    return client.post(f"{PATH}/{word}", params=root(acme), **said)


# ── lookup ──────────────────────────────────────────────────────────────────────────────────────


def test_a_budget_is_found_by_its_scope_in_any_case_and_its_unit(
    acme: Acme, admin: httpx.Client
) -> None:
    made = acme.client.post(PATH, json=new(acme, "/agent:Writer", 80)).json()
    scope = f"tenant:{acme.tenant}/agent:WRITER"
    assert lookup(acme.client, acme, scope=scope).json() == made
    assert lookup(admin, acme, scope=scope).json() == made


def test_a_budget_shows_just_what_the_protocol_names(acme: Acme) -> None:
    body = new(acme, "/app:a", metadata={"kept": "inside"})
    acme.client.post(PATH, json=body)
    found = lookup(acme.client, acme, scope=f"tenant:{acme.tenant}/app:a").json()
    assert set(found) == {
        *("ledger_id", "tenant_id", "scope", "scope_path", "unit", "allocated", "remaining"),
        *("reserved", "spent", "debt", "overdraft_limit", "is_over_limit", "status"),
        *("rollover_policy", "created_at", "updated_at"),
    }


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"unit": "CREDITS"}, 404, "BUDGET_NOT_FOUND"),
        ({"scope": "tenant:somebody-else"}, 403, "FORBIDDEN"),
        ({"scope": "agent:a"}, 400, "INVALID_REQUEST"),
        ({"unit": ""}, 400, "INVALID_REQUEST"),
    ],
)
def test_what_cannot_be_looked_up_is_refused(
    acme: Acme, query: dict[str, str], status: int, code: str
) -> None:
    answer = lookup(acme.client, acme, **query)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


# ── update ──────────────────────────────────────────────────────────────────────────────────────


def test_what_is_said_is_changed_and_the_rest_stays(acme: Acme, admin: httpx.Client) -> None:
    before = lookup(admin, acme).json()
    policy = "ALLOW_WITH_OVERDRAFT"
    answer = patch(
        admin, acme, overdraft_limit=amount(50), commit_overage_policy=policy, metadata={"a": 1}
    )
    assert answer.status_code == 200
    changed = {
        "overdraft_limit": amount(50),
        "commit_overage_policy": policy,
        "updated_at": answer.json()["updated_at"],
    }
    assert answer.json() == {**before, **changed} == lookup(admin, acme).json()
    assert account(acme).budget.metadata == {"a": 1}
    assert patch(admin, acme, metadata={"b": 2}).json()["overdraft_limit"] == amount(50)
    assert account(acme).budget.metadata == {"b": 2}


def test_a_change_to_what_is_already_so_writes_nothing(acme: Acme, admin: httpx.Client) -> None:
    before = kept(acme)
    assert patch(admin, acme).status_code == 200
    assert patch(admin, acme, overdraft_limit=amount(0)).status_code == 200
    assert kept(acme) == before


def test_another_limit_decides_anew_whether_too_much_is_owed(
    acme: Acme, admin: httpx.Client
) -> None:
    acme.server.put(replace(account(acme), debt=40, overdraft_limit=50))
    assert patch(admin, acme, overdraft_limit=amount(39)).json()["is_over_limit"] is True
    denied = acme.reserve("over", 1)
    assert denied.json()["error"] == "OVERDRAFT_LIMIT_EXCEEDED"
    assert patch(admin, acme, overdraft_limit=amount(40)).json()["is_over_limit"] is False
    assert acme.reserve("under", 1).status_code == 200


def test_a_frozen_budget_may_be_changed(acme: Acme, admin: httpx.Client) -> None:
    switch(admin, acme, "freeze")
    answer = patch(admin, acme, overdraft_limit=amount(5)).json()
    assert (answer["status"], answer["overdraft_limit"]) == ("FROZEN", amount(5))


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        ({"overdraft_limit": amount(1, "CREDITS")}, "UNIT_MISMATCH", "overdraft_limit"),
        ({"overdraft_limit": amount(-1)}, "INVALID_REQUEST", "overdraft_limit.amount"),
        ({"overdraft_limit": amount(2**63)}, "INVALID_REQUEST", "overdraft_limit.amount"),
        ({"commit_overage_policy": "MAYBE"}, "INVALID_REQUEST", "commit_overage_policy"),
        ({"allocated": amount(1)}, "INVALID_REQUEST", "allocated"),
        ({"status": "ACTIVE"}, "INVALID_REQUEST", "status"),
    ],
)
def test_a_wrong_change_changes_nothing(
    acme: Acme, admin: httpx.Client, body: dict[str, Any], code: str, named: str
) -> None:
    before = kept(acme)
    answer = patch(admin, acme, **body)
    assert (answer.status_code, answer.json()["error"]) == (400, code)
    assert named in answer.json()["message"]
    assert kept(acme) == before


# ── freeze and unfreeze ─────────────────────────────────────────────────────────────────────────


def test_a_frozen_budget_takes_nothing_new_and_settles_what_runs(
    acme: Acme, admin: httpx.Client
) -> None:
    running = acme.held(amount=100)
    frozen = switch(admin, acme, "freeze", json={"reason": "look closer", "metadata": {"by": "me"}})
    assert (frozen.status_code, frozen.json()["status"]) == (200, "FROZEN")
    assert acme.reserve("more").json()["error"] == "BUDGET_FROZEN"
    assert fund(acme, {"operation": "CREDIT", "amount": amount(1)}).status_code == 409
    assert acme.commit(running).status_code == 200
    assert switch(admin, acme, "unfreeze").json()["status"] == "ACTIVE"
    assert acme.reserve("again").status_code == 200


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (BudgetStatus.ACTIVE, "unfreeze"),
        (BudgetStatus.FROZEN, "freeze"),
        (BudgetStatus.CLOSED, "freeze"),
        (BudgetStatus.CLOSED, "unfreeze"),
    ],
)
def test_there_is_nothing_to_switch_twice(
    acme: Acme, admin: httpx.Client, status: BudgetStatus, word: str
) -> None:
    acme.server.put(replace(account(acme), status=status))
    before = kept(acme)
    answer = switch(admin, acme, word, json={})
    assert (answer.status_code, answer.json()["error"]) == (409, "INVALID_REQUEST")
    assert f"is {status}" in answer.json()["message"]
    assert kept(acme) == before


@pytest.mark.parametrize("body", [{"reason": "x" * 513}, {"colour": "red"}, [], {"metadata": 1}])
def test_a_wrong_reason_freezes_nothing(acme: Acme, admin: httpx.Client, body: Any) -> None:
    assert switch(admin, acme, "freeze", json=body).status_code == 400
    assert account(acme).status is BudgetStatus.ACTIVE


# ── caps ────────────────────────────────────────────────────────────────────────────────────────


def test_caps_are_set_and_taken_away(acme: Acme, admin: httpx.Client) -> None:
    caps = {"max_tokens": 500, "tool_denylist": ["shell"]}
    where = {"tenant_id": acme.tenant, **root(acme)}
    answer = acme.client.patch(CAPS, params=root(acme), json={"caps": caps})
    assert (answer.status_code, answer.json()) == (200, {**where, "caps": caps})
    nothings: list[dict[str, Any]] = [{}, {"caps": {}}]
    for nothing in nothings:
        admin.patch(CAPS, params=root(acme), json={"caps": caps})
        assert admin.patch(CAPS, params=root(acme), json=nothing).json() == where
        assert account(acme).budget.caps is None


@pytest.mark.parametrize("caps", [{"max_tokens": -1}, {"colour": 1}, [], 5])
def test_wrong_caps_change_nothing(acme: Acme, caps: Any) -> None:
    before = kept(acme)
    answer = acme.client.patch(CAPS, params=root(acme), json={"caps": caps})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert kept(acme) == before


def test_a_tenant_caps_its_own_budgets_alone(acme: Acme) -> None:
    other = acme.server.tenant()
    where = root(acme, scope=f"tenant:{other}")
    answer = acme.client.patch(CAPS, params=where, json={})
    assert (answer.status_code, answer.json()["error"]) == (403, "FORBIDDEN")


# ── what every change has in common ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_no_budget_is_changed_that_is_not_there(
    acme: Acme, admin: httpx.Client, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = admin.request(method, path, params=root(acme, unit="CREDITS"), json=body)
    assert (answer.status_code, answer.json()["error"]) == (404, "BUDGET_NOT_FOUND")


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_nothing_of_a_closed_tenant_changes(
    acme: Acme, admin: httpx.Client, method: str, path: str, body: dict[str, Any]
) -> None:
    found = acme.server.run(acme.server.store.get(tenant_key(acme.tenant)))
    acme.server.put(replace(found, status=TenantStatus.CLOSED))
    before = kept(acme)
    answer = admin.request(method, path, params=root(acme), json=body)
    assert (answer.status_code, answer.json()["error"]) == (409, "TENANT_CLOSED")
    assert kept(acme) == before


@pytest.mark.parametrize(("method", "path", "body"), [CHANGES[0], CHANGES[3]])
def test_a_closed_budget_never_changes(
    acme: Acme, admin: httpx.Client, method: str, path: str, body: dict[str, Any]
) -> None:
    acme.server.put(replace(account(acme), status=BudgetStatus.CLOSED))
    before = kept(acme)
    answer = admin.request(method, path, params=root(acme), json=body)
    assert (answer.status_code, answer.json()["error"]) == (409, "BUDGET_CLOSED")
    assert kept(acme) == before
