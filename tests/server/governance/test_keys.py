"""API keys: how they look, how they change, how they end, and that nothing keeps their text."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from runcycles.errors import CyclesProtocolError
from runcycles.ledger.state import Outcome, tenant_key
from runcycles.types import TenantStatus
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.governance.keys import commands
from runcycles_server.governance.keys.bodies import KeyQuestion, KeyUpdate
from runcycles_server.governance.keys.rules import digest_of
from runcycles_server.governance.keys.views import created
from runcycles_server.governance.operator import Operator
from runcycles_server.governance.permissions import (
    DEFAULT_PERMISSIONS,
    Permission,
    formerly,
    permits,
)
from runcycles_server.records import ApiKey, api_key_key
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.stores.suite import Clock
from runcycles_server.stores.suite.samples import an_api_key
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


def change(server: Served, key_id: str, **body: Any) -> httpx.Response:
    with server.admin() as admin:
        return admin.patch(f"{PATH}/{key_id}", json=body)


def revoke(server: Served, key_id: str, **query: str) -> httpx.Response:
    with server.admin() as admin:
        return admin.delete(f"{PATH}/{key_id}", params=query)


def listed(server: Served, **query: str) -> list[dict[str, Any]]:
    with server.admin() as admin:
        answer = admin.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["keys"]
    return rows


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


def test_no_key_is_written_where_its_answer_is(server: Served) -> None:
    asked, told = KeyQuestion(key_secret="hidden"), created(an_api_key("key_1"), "hidden")
    assert "hidden" not in f"{asked!r} {told!r}"


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
    status, message = status_with(server, secret)
    assert status == 401
    assert "expired at 1970-01-01T00:00:00.001Z" in message


def test_a_revoked_key_fails_on_its_next_request(server: Served) -> None:
    made = make(server, server.tenant())
    assert status_with(server, made["key_secret"])[0] == 200
    answer = revoke(server, made["key_id"], reason="it leaked")
    assert answer.status_code == 200
    assert answer.json()["status"] == "REVOKED"
    assert answer.json()["revoked_reason"] == "it leaked"
    status, message = status_with(server, made["key_secret"])
    assert status == 401
    assert "was revoked" in message


def test_a_key_is_revoked_once(server: Served) -> None:
    made = make(server, server.tenant())
    before = revoke(server, made["key_id"]).json()
    again = revoke(server, made["key_id"], reason="once more")
    assert (again.status_code, again.json()["error"]) == (409, "KEY_REVOKED")
    assert listed(server, tenant_id=made["tenant_id"]) == [before]


def test_a_reason_is_not_a_novel(server: Served) -> None:
    made = make(server, server.tenant())
    answer = revoke(server, made["key_id"], reason="x" * 513)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert status_with(server, made["key_secret"])[0] == 200


def test_what_a_key_may_do_changes_on_its_next_request(server: Served) -> None:
    made = make(server, server.tenant())
    secret = made["key_secret"]
    assert status_with(server, secret)[0] == 200
    answer = change(server, made["key_id"], permissions=["reservations:list"])
    assert answer.json()["permissions"] == ["reservations:list"]
    assert status_with(server, secret)[0] == 403
    change(server, made["key_id"], permissions=["balances:read"])
    assert status_with(server, secret)[0] == 200


def test_a_change_leaves_alone_what_it_does_not_name(server: Served) -> None:
    made = make(
        server,
        server.tenant(),
        description="for the writers",
        scope_filter=["agent:Writer", "workspace:*"],
        metadata={"team": "a"},
    )
    (before,) = listed(server, tenant_id=made["tenant_id"])
    assert before["scope_filter"] == ["agent:writer", "workspace:*"]
    assert change(server, made["key_id"]).json() == before
    after = change(server, made["key_id"], name="renamed", metadata={}).json()
    assert after == {**before, "name": "renamed", "metadata": {}}
    lifted = change(server, made["key_id"], scope_filter=[]).json()
    assert "scope_filter" not in lifted
    assert lifted["description"] == "for the writers"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"status": "REVOKED", "revoked_at_ms": 1}, "KEY_REVOKED"),
        ({"expires_at_ms": 1}, "KEY_EXPIRED"),
    ],
)
def test_a_key_that_opens_nothing_any_more_does_not_change(
    server: Served, fields: dict[str, Any], code: str
) -> None:
    made = make(server, server.tenant())
    over = replace(kept(server, made["key_secret"]), **fields)
    server.put(over)
    answer = change(server, made["key_id"], name="revived", permissions=[])
    assert (answer.status_code, answer.json()["error"]) == (409, code)
    assert kept(server, made["key_secret"]) == over


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"permissions": ["balances:eat"]}, "balances:eat"),
        ({"scope_filter": ["*"]}, "'*'"),
        ({"name": ""}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"expires_at": "2101-01-01T00:00:00Z"}, "expires_at"),
        ({"status": "ACTIVE"}, "status"),
        ({"tenant_id": "another"}, "tenant_id"),
    ],
)
def test_a_wrong_change_changes_nothing(server: Served, body: dict[str, Any], named: str) -> None:
    made = make(server, server.tenant())
    before = kept(server, made["key_secret"])
    answer = change(server, made["key_id"], **body)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert named in answer.json()["message"]
    assert kept(server, made["key_secret"]) == before


class LooksBack(MemoryStore):
    """A store whose lists are older than its records."""

    async def api_keys(self, tenant: str | None) -> list[ApiKey]:
        return [replace(key, status="ACTIVE") for key in await super().api_keys(tenant)]


def test_a_change_that_comes_too_late_revives_no_key() -> None:
    """The key was found while it was good, and is revoked when the change is made."""
    store = LooksBack(Clock().now_ms)
    revoked = an_api_key("key_1", status="REVOKED", expires_at_ms=2**42)

    async def change_it() -> None:
        await store.start()
        await store.transact((), lambda _: Outcome(None, (revoked,)))
        await commands.update(Operator(store), "key_1", KeyUpdate(name="revived"), Actor())

    with pytest.raises(CyclesProtocolError, match="KEY_REVOKED"):
        asyncio.run(change_it())
    assert asyncio.run(store.get(revoked.key)) == revoked


def test_a_key_that_there_is_not_can_neither_change_nor_go(server: Served) -> None:
    for answer in (change(server, "key_nobodys"), revoke(server, "key_nobodys")):
        assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")
        assert "key_nobodys" in answer.json()["message"]


def test_the_keys_of_a_closed_tenant_stay_as_they_are(server: Served) -> None:
    tenant = server.tenant(allocated=None)
    made = make(server, tenant)
    before = kept(server, made["key_secret"])
    owner = server.run(server.store.get(tenant_key(tenant)))
    server.put(replace(owner, status=TenantStatus.CLOSED))
    for answer in (change(server, made["key_id"], name="new"), revoke(server, made["key_id"])):
        assert (answer.status_code, answer.json()["error"]) == (409, "TENANT_CLOSED")
    assert kept(server, made["key_secret"]) == before


def test_keys_are_found_by_tenant_status_and_text(server: Served) -> None:
    tenant = server.tenant(allocated=None)
    names = ["Alpha", "beta", "gamma"]
    made = {name: make(server, tenant, name=name) for name in names}
    revoke(server, made["beta"]["key_id"])
    server.put(replace(kept(server, made["gamma"]["key_secret"]), expires_at_ms=1))

    def found(**query: str) -> list[str]:
        return [row["name"] for row in listed(server, tenant_id=tenant, sort_dir="asc", **query)]

    assert found() == names
    assert found(status="ACTIVE") == ["Alpha"]
    assert found(status="REVOKED") == ["beta"]
    assert found(status="EXPIRED") == ["gamma"]
    assert found(search=" ALPH ") == ["Alpha"]
    assert found(search=made["beta"]["key_id"][4:]) == ["beta"]
    assert found(sort_by="expires_at") == ["gamma", "Alpha", "beta"]
    assert found(sort_by="status") == ["Alpha", "gamma", "beta"]
    everybody = [row["tenant_id"] for row in listed(server, limit="100")]
    assert tenant in everybody
    assert len(set(everybody)) > 1


def test_a_list_of_keys_goes_on_where_it_stopped(server: Served) -> None:
    tenant = server.tenant(allocated=None)
    wanted = [make(server, tenant, name=name)["key_id"] for name in "abcde"]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    with server.admin() as admin:
        while True:
            query = {"tenant_id": tenant, "sort_by": "name", "sort_dir": "asc", "limit": "2"}
            page = admin.get(PATH, params={**query, **cursor}).json()
            seen += [row["key_id"] for row in page["keys"]]
            if not page["has_more"]:
                break
            cursor = {"cursor": page["next_cursor"]}
        stale = admin.get(PATH, params={"tenant_id": "another", **cursor})
    assert seen == wanted
    assert (stale.status_code, stale.json()["error"]) == (400, "INVALID_REQUEST")


def test_no_list_shows_what_is_kept_of_a_secret(server: Served) -> None:
    made = make(server, server.tenant())
    row = str(listed(server, tenant_id=made["tenant_id"]))
    assert made["key_secret"] not in row
    assert digest_of(made["key_secret"]) not in row


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
        ({"scope_filter": ["agent:a", "*"]}, "'*'"),
        ({"scope_filter": [":*"]}, "':*'"),
        ({"scope_filter": ["agentic:a"]}, "'agentic:a'"),
        ({"scope_filter": ["agent"]}, "'agent'"),
        ({"scope_filter": ["agent:"]}, "'agent:'"),
        ({"scope_filter": ["agent:a*"]}, "'agent:a*'"),
        ({"scope_filter": ["agent:a/toolset:b"]}, "'agent:a/toolset:b'"),
        ({"scope_filter": ["agent:a"] * 101}, "scope_filter"),
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


def test_reading_counters_was_once_a_matter_of_balances() -> None:
    wanted = Permission.ACTION_QUOTAS_READ
    assert formerly(["balances:read"], wanted) is Permission.BALANCES_READ
    assert formerly(["budgets:read"], wanted) is None
    assert formerly(["balances:read"], Permission.BUDGETS_READ) is None
    assert permits(["admin:read"], wanted)
