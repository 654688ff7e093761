"""A tenant: changed, suspended, reactivated, and what cannot be done to a closed one."""

from typing import Any

import httpx
import pytest

from runcycles.ledger.state import Tenant, tenant_key
from tests.server.governance.asks import kept
from tests.server.http.conftest import Acme
from tests.support.served import Served

PATH = "/v1/admin/tenants"


def patch(admin: httpx.Client, tenant: str, **body: Any) -> httpx.Response:
    return admin.patch(f"{PATH}/{tenant}", json=body)


def patched(admin: httpx.Client, tenant: str, **body: Any) -> dict[str, Any]:
    answer = patch(admin, tenant, **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_everything_the_protocol_lets_change_can_change(
    server: Served, admin: httpx.Client
) -> None:
    tenant = server.tenant(metadata={"team": "blue", "floor": "2"})
    before = admin.get(f"{PATH}/{tenant}").json()
    changes = {
        "name": "Another name",
        "metadata": {"team": "red"},
        "default_commit_overage_policy": "REJECT",
        "default_reservation_ttl_ms": 5_000,
        "max_reservation_ttl_ms": 6_000,
        "max_reservation_extensions": 0,
        "observe_mode": "OBSERVE",
    }
    after = patched(admin, tenant, **changes)
    assert after == {**before, **changes, "updated_at": after["updated_at"]}
    assert admin.get(f"{PATH}/{tenant}").json() == after
    assert patched(admin, tenant, name="Third")["metadata"] == {"team": "red"}


def test_a_tenant_starts_in_the_mode_it_is_made_with(server: Served, admin: httpx.Client) -> None:
    tenant = server.tenant(observe_mode="OBSERVE")
    assert admin.get(f"{PATH}/{tenant}").json()["observe_mode"] == "OBSERVE"
    query = {"observe_mode": "OBSERVE", "search": tenant}
    assert len(admin.get(PATH, params=query).json()["tenants"]) == 1
    query["observe_mode"] = "DISABLED"
    assert admin.get(PATH, params=query).json()["tenants"] == []


@pytest.mark.parametrize("body", [{}, {"status": "ACTIVE"}, {"max_reservation_extensions": 10}])
def test_what_is_already_so_changes_nothing(
    acme: Acme, admin: httpx.Client, body: dict[str, Any]
) -> None:
    before = kept(acme)
    assert "updated_at" not in patched(admin, acme.tenant, **body)
    assert kept(acme) == before


def test_a_suspended_tenant_starts_nothing_and_settles_what_runs(
    acme: Acme, admin: httpx.Client
) -> None:
    running = acme.held()
    suspended = patched(admin, acme.tenant, status="SUSPENDED")
    assert (suspended["status"], "suspended_at" in suspended) == ("SUSPENDED", True)
    refused = acme.reserve("more")
    assert (refused.status_code, refused.json()["error"]) == (403, "FORBIDDEN")
    assert acme.commit(running).status_code == 200
    again = patched(admin, acme.tenant, status="SUSPENDED", name="Renamed")
    assert again["suspended_at"] == suspended["suspended_at"]


def test_a_reactivated_tenant_goes_on_as_before(acme: Acme, admin: httpx.Client) -> None:
    patched(admin, acme.tenant, status="SUSPENDED")
    active = patched(admin, acme.tenant, status="ACTIVE")
    assert (active["status"], "suspended_at" in active) == ("ACTIVE", False)
    assert acme.reserve("more").status_code == 200


def test_a_tenant_kept_without_a_profile_can_be_changed(
    server: Served, admin: httpx.Client
) -> None:
    server.put(Tenant(tenant_id="bare-tenant"))
    assert "updated_at" not in patched(admin, "bare-tenant", status="ACTIVE")
    assert server.run(server.store.get(tenant_key("bare-tenant"))).profile is None
    assert patched(admin, "bare-tenant", status="SUSPENDED")["name"] == "bare-tenant"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"name": ""}, "name"),
        ({"status": "LOST"}, "status"),
        ({"tenant_id": "other"}, "tenant_id"),
        ({"parent_tenant_id": "other"}, "parent_tenant_id"),
        ({"reservation_expiry_policy": "GRACE_ONLY"}, "reservation_expiry_policy"),
        ({"default_reservation_ttl_ms": 999}, "default_reservation_ttl_ms"),
        ({"max_reservation_ttl_ms": 86_400_001}, "max_reservation_ttl_ms"),
        ({"max_reservation_extensions": -1}, "max_reservation_extensions"),
        ({"metadata": {f"{n}": "" for n in range(33)}}, "metadata"),
        ({"observe_mode": "LOOK"}, "observe_mode"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_change_changes_nothing(
    acme: Acme, admin: httpx.Client, body: dict[str, Any], named: str
) -> None:
    before = kept(acme)
    answer = patch(admin, acme.tenant, **body)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert named in answer.json()["message"]
    assert kept(acme) == before


@pytest.mark.parametrize("status", ["ACTIVE", "SUSPENDED", "CLOSED"])
def test_an_unknown_tenant_is_not_changed(admin: httpx.Client, status: str) -> None:
    answer = patch(admin, "nobody", status=status)
    assert (answer.status_code, answer.json()["error"]) == (404, "TENANT_NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"status": "ACTIVE"}, 400, "INVALID_REQUEST"),
        ({"status": "SUSPENDED"}, 400, "INVALID_REQUEST"),
        ({}, 409, "TENANT_CLOSED"),
        ({"name": "Renamed"}, 409, "TENANT_CLOSED"),
        ({"status": "CLOSED", "name": "Renamed"}, 409, "TENANT_CLOSED"),
    ],
)
def test_a_closed_tenant_stays_as_it_is(
    acme: Acme, admin: httpx.Client, body: dict[str, Any], status: int, code: str
) -> None:
    patched(admin, acme.tenant, status="CLOSED")
    before = kept(acme)
    answer = patch(admin, acme.tenant, **body)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert acme.tenant in answer.json()["message"]
    assert kept(acme) == before
