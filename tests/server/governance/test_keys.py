"""API keys: how they look, how long they live, and that nothing keeps their text."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runcycles.ledger.state import tenant_key
from runcycles.types import TenantStatus
from runcycles_server.governance.keys.rules import digest_of
from runcycles_server.governance.permissions import DEFAULT_PERMISSIONS, Permission, permits
from runcycles_server.records import ApiKey, api_key_key
from tests.support.served import Served

PATH = "/v1/admin/api-keys"


def make(server: Served, tenant: str, **body: Any) -> dict[str, Any]:
    with server.admin() as admin:
        answer = admin.post(PATH, json={"tenant_id": tenant, "name": "a key", **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def kept(server: Served, secret: str) -> ApiKey:
    found: ApiKey = server.run(server.store.get(api_key_key(digest_of(secret))))
    return found


def status_with(server: Served, secret: str) -> tuple[int, str]:
    with server.client(**{"X-Cycles-API-Key": secret}) as client:
        answer = client.get("/v1/balances", params={"agent": "a"})
    return answer.status_code, answer.json().get("message", "")


def test_a_new_key_is_256_random_bits_and_opens_its_tenant(server: Served) -> None:
    made = make(server, server.tenant())
    assert re.fullmatch(r"cyc_live_[A-Za-z0-9_-]{43}", made["key_secret"])
    assert made["key_prefix"] == made["key_secret"][:14]
    assert made["permissions"] == list(DEFAULT_PERMISSIONS)
    assert status_with(server, made["key_secret"])[0] == 200


def test_nothing_keeps_the_text_of_a_key(server: Served) -> None:
    secret = make(server, server.tenant())["key_secret"]
    assert secret not in repr(kept(server, secret))


def test_a_key_lives_for_ninety_days_unless_the_operator_says_otherwise(server: Served) -> None:
    made = make(server, server.tenant())
    lifetime = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(
        made["created_at"]
    )
    assert lifetime == timedelta(days=90)
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = make(server, server.tenant(), expires_at=soon.isoformat())
    assert made["expires_at"] == soon.isoformat(timespec="milliseconds")[:-6] + "Z"


def test_an_expired_key_opens_nothing(server: Served) -> None:
    secret = make(server, server.tenant())["key_secret"]
    server.put(replace(kept(server, secret), expires_at_ms=1))
    assert status_with(server, secret) == (401, "This API key has expired")


def test_a_revoked_key_fails_on_its_next_request(server: Served) -> None:
    secret = make(server, server.tenant())["key_secret"]
    assert status_with(server, secret)[0] == 200
    server.put(replace(kept(server, secret), status="REVOKED", revoked_at_ms=1))
    assert status_with(server, secret) == (401, "This API key was revoked")


def test_permissions_are_what_was_asked_for_each_once(server: Served) -> None:
    asked = ["balances:read", "reservations:list", "balances:read"]
    made = make(server, server.tenant(), permissions=asked)
    assert made["permissions"] == ["balances:read", "reservations:list"]
    assert make(server, server.tenant(), permissions=[])["permissions"] == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"permissions": ["balances:read", "balances:eat"]}, "balances:eat"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2101-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": 4_000_000_000}, "expires_at"),
        ({"scope_filter": ["agent:a"]}, "scope_filter"),
        ({"name": ""}, "name"),
        ({"colour": "red"}, "colour"),
        ({"description": "x" * 1_025}, "description"),
    ],
)
def test_a_wrong_key_is_not_made(server: Served, body: dict[str, Any], named: str) -> None:
    tenant = server.tenant()
    with server.admin() as admin:
        answer = admin.post(PATH, json={"tenant_id": tenant, "name": "a key", **body})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert named in answer.json()["message"]
    assert server.run(server.store.api_keys(tenant)) == []


def test_a_key_of_nobody_is_not_made(server: Served) -> None:
    with server.admin() as admin:
        answer = admin.post(PATH, json={"tenant_id": "nobody", "name": "a key"})
    assert (answer.status_code, answer.json()["error"]) == (404, "TENANT_NOT_FOUND")


def test_a_closed_tenant_gets_no_new_key(server: Served) -> None:
    tenant = server.tenant(allocated=None)
    found = server.run(server.store.get(tenant_key(tenant)))
    server.put(replace(found, status=TenantStatus.CLOSED))
    with server.admin() as admin:
        answer = admin.post(PATH, json={"tenant_id": tenant, "name": "a key"})
    assert (answer.status_code, answer.json()["error"]) == (409, "TENANT_CLOSED")


def test_the_admin_wildcards_cover_reading_and_writing_apart() -> None:
    reading = {wanted for wanted in Permission if permits(["admin:read"], wanted)}
    writing = {wanted for wanted in Permission if permits(["admin:write"], wanted)}
    assert reading == {wanted for wanted in Permission if wanted.endswith(":read")}
    assert writing == {wanted for wanted in Permission if wanted.endswith(":write")}
    assert not permits(["admin:read", "admin:write"], Permission.RESERVATIONS_CREATE)
