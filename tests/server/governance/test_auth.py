"""What a secret opens, and what a key's holder may do."""

from dataclasses import replace
from typing import Any

import pytest

from runcycles.ledger.state import tenant_key
from runcycles.types import TenantStatus
from runcycles_server.governance.keys.rules import digest_of
from runcycles_server.governance.permissions import Permission
from runcycles_server.records import ApiKey, api_key_key
from tests.support.served import Served

ALWAYS_TOLD = {
    "view_overview",
    "view_budgets",
    "view_events",
    "view_webhooks",
    "view_audit",
    "view_tenants",
    "view_api_keys",
    "view_policies",
}


def validate(server: Served, secret: str) -> dict[str, Any]:
    with server.admin() as admin:
        answer = admin.post("/v1/auth/validate", json={"key_secret": secret})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def introspect(server: Served, **headers: str) -> dict[str, Any]:
    with server.client(**headers) as client:
        answer = client.get("/v1/auth/introspect")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def capabilities(server: Served, *permissions: str) -> set[str]:
    """The capabilities of a key with these permissions."""
    secret = server.key_of(server.tenant(allocated=None), permissions=list(permissions))
    told = introspect(server, **{"X-Cycles-API-Key": secret})["capabilities"]
    assert told.keys() >= ALWAYS_TOLD
    return {name for name, held in told.items() if held}


def kept(server: Served, secret: str) -> ApiKey:
    found: ApiKey = server.run(server.store.get(api_key_key(digest_of(secret))))
    return found


def put_tenant(server: Served, tenant: str, status: TenantStatus) -> None:
    found = server.run(server.store.get(tenant_key(tenant)))
    server.put(replace(found, status=status))


def test_a_good_secret_is_valid_and_says_what_it_opens(server: Served) -> None:
    tenant = server.tenant(allocated=None)
    secret = server.key_of(tenant, permissions=["balances:read"], scope_filter=["agent:a"])
    key = kept(server, secret)
    found = validate(server, secret)
    expires_at = found.pop("expires_at")
    assert expires_at.endswith("Z")
    assert found == {
        "valid": True,
        "tenant_id": tenant,
        "key_id": key.key_id,
        "permissions": ["balances:read"],
        "scope_filter": ["agent:a"],
    }


def test_of_less_than_the_whole_secret_nothing_is_told(server: Served) -> None:
    secret = server.key_of(server.tenant(allocated=None))
    nothing = {"valid": False, "tenant_id": "", "reason": "KEY_NOT_FOUND"}
    for guess in (secret[:-1], secret[:14], secret + "x", "", "cyc_live_", digest_of(secret)):
        assert validate(server, guess) == nothing
    server.put(replace(kept(server, secret), status="REVOKED"))
    assert validate(server, secret[:-1]) == nothing


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "REVOKED", "expires_at_ms": 1}, "KEY_REVOKED"),
        ({"expires_at_ms": 1}, "KEY_EXPIRED"),
    ],
)
def test_a_secret_that_opens_nothing_any_more_says_why(
    server: Served, fields: dict[str, Any], reason: str
) -> None:
    tenant = server.tenant(allocated=None)
    secret = server.key_of(tenant)
    server.put(replace(kept(server, secret), **fields))
    found = validate(server, secret)
    assert (found["valid"], found["reason"], found["tenant_id"]) == (False, reason, tenant)


def test_the_key_of_a_closed_tenant_is_not_valid_and_of_a_suspended_one_is(server: Served) -> None:
    tenant = server.tenant(allocated=None)
    secret = server.key_of(tenant)
    put_tenant(server, tenant, TenantStatus.SUSPENDED)
    found = validate(server, secret)
    assert (found["valid"], found["reason"]) == (True, "TENANT_SUSPENDED")
    put_tenant(server, tenant, TenantStatus.CLOSED)
    found = validate(server, secret)
    assert (found["valid"], found["reason"]) == (False, "TENANT_CLOSED")


@pytest.mark.parametrize("body", [{}, {"key_secret": 5}, {"key_secret": "x", "tenant_id": "y"}])
def test_a_wrong_question_is_refused(server: Served, body: dict[str, Any]) -> None:
    with server.admin() as admin:
        answer = admin.post("/v1/auth/validate", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")


def test_the_admin_key_may_do_everything(server: Served) -> None:
    with server.admin() as admin:
        found = admin.get("/v1/auth/introspect").json()
    told = found.pop("capabilities")
    assert found == {"authenticated": True, "auth_type": "admin", "permissions": ["*"]}
    assert len(told) == 15
    assert all(told.values())


def test_a_key_learns_whose_it_is_and_what_it_may_do(server: Served) -> None:
    tenant = server.tenant(allocated=None)
    secret = server.key_of(tenant, permissions=["budgets:read"], scope_filter=["agent:a"])
    found = introspect(server, **{"X-Cycles-API-Key": secret})
    told = found.pop("capabilities")
    assert found == {
        "authenticated": True,
        "auth_type": "tenant",
        "tenant_id": tenant,
        "permissions": ["budgets:read"],
        "scope_filter": ["agent:a"],
    }
    assert [name for name, held in told.items() if held] == ["view_budgets"]


@pytest.mark.parametrize("what", ["budgets", "policies", "webhooks"])
def test_seeing_and_managing_come_from_any_of_three_permissions(server: Served, what: str) -> None:
    assert capabilities(server, f"{what}:read") == {f"view_{what}"}
    assert capabilities(server, f"admin:{what}:read") == {f"view_{what}"}
    assert capabilities(server, f"{what}:write") == {f"manage_{what}"}
    assert capabilities(server, f"admin:{what}:write") == {f"manage_{what}"}


def test_the_wildcards_see_and_manage_what_a_tenant_can(server: Served) -> None:
    assert capabilities(server, "admin:read") == {
        "view_budgets",
        "view_policies",
        "view_webhooks",
        "view_events",
        "view_reservations",
    }
    assert capabilities(server, "admin:write") == {
        "manage_budgets",
        "manage_policies",
        "manage_webhooks",
        "manage_reservations",
    }


def test_who_may_list_reservations_sees_them_and_no_more(server: Served) -> None:
    assert capabilities(server, "reservations:list") == {"view_reservations"}
    assert capabilities(server, "reservations:commit") == {
        "view_reservations",
        "manage_reservations",
    }


def test_what_is_the_operators_no_tenant_can(server: Served) -> None:
    held = capabilities(server, *Permission)
    assert not held & {
        "view_tenants",
        "view_api_keys",
        "view_audit",
        "view_overview",
        "manage_tenants",
        "manage_api_keys",
    }
