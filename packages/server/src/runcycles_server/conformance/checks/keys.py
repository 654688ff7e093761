"""API keys: what they may do, where, and for how long."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import all_refused, done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import MAIN, POOR, Budget, Setup
from runcycles_server.conformance.stand import Stand

topic = Topic()
check = topic.check

PATH: Final = "/v1/admin/api-keys"
RUNTIME: Final = (
    "reservations:create",
    "reservations:commit",
    "reservations:release",
    "reservations:extend",
    "reservations:list",
    "balances:read",
)
KEYS: Final = Setup(
    keys={
        "idle": {"permissions": ["webhooks:read"]},
        "reader": {"permissions": ["admin:read"]},
        "writer": {"permissions": ["admin:write"]},
    }
)
SCOPED: Final = Setup(
    budgets=(Budget(), Budget(scope="agent:a"), Budget(scope="agent:b")),
    keys={"scoped": {"scope_filter": ["agent:a", "workspace:*"]}},
)


async def _id_of(stand: Stand, name: str) -> str:
    rows = done(await stand.govern("GET", PATH, query={"tenant_id": stand.tenant}))["keys"]
    return str(next(row["key_id"] for row in rows if row["name"] == name))


async def _change(stand: Stand, name: str, **changes: Any) -> Answer:
    return await stand.govern("PATCH", f"{PATH}/{await _id_of(stand, name)}", changes)


async def _runtime(stand: Stand) -> dict[str, Answer]:
    """Each permission of the runtime, used once."""
    return {
        "reservations:create": await stand.reserve(1),
        "reservations:commit": await stand.commit("none", 1),
        "reservations:release": await stand.release("none"),
        "reservations:extend": await stand.extend("none"),
        "reservations:list": await stand.listed(),
        "balances:read": await stand.get("/v1/balances", tenant=stand.tenant),
    }


@check("GC-KEY-001", POOR)
async def a_secret_is_shown_once(stand: Stand) -> None:
    answer = await stand.govern("GET", PATH, query={"tenant_id": stand.tenant})
    row = done(answer)["keys"][0]
    same(row["status"], "ACTIVE", "status")
    secret = stand.keys[MAIN]
    expect(secret not in answer.content.decode(), "a list shows the secret of a key")
    expect(secret.startswith(row["key_prefix"]), "key_prefix is not how the secret begins")


@check("GC-KEY-002", POOR)
async def an_unknown_permission_is_400(stand: Stand) -> None:
    body = {"tenant_id": stand.tenant, "name": "x", "permissions": ["everything:do"]}
    refused(await stand.govern("POST", PATH, body), 400, "INVALID_REQUEST")


@check("GC-KEY-003")
async def a_revoked_key_opens_nothing(stand: Stand) -> None:
    await stand.held(1)
    key = await _id_of(stand, MAIN)
    found = done(await stand.govern("DELETE", f"{PATH}/{key}", query={"reason": "lost"}))
    same(found["status"], "REVOKED", "status")
    refused(await stand.reserve(1), 401, "UNAUTHORIZED")
    refused(await stand.govern("DELETE", f"{PATH}/{key}"), 409, "KEY_REVOKED")


@check("GC-KEY-004")
async def changed_permissions_hold_at_once(stand: Stand) -> None:
    await stand.held(1)
    done(await _change(stand, MAIN, permissions=["balances:read"]))
    refused(await stand.reserve(1), 403, "FORBIDDEN")
    await stand.shows(remaining=999)


@check("GC-KEY-005", KEYS)
async def each_operation_needs_its_permission(stand: Stand) -> None:
    idle = stand.keyed("idle")
    all_refused((await _runtime(idle)).values(), 403, "FORBIDDEN")
    for permission in RUNTIME:
        done(await _change(stand, "idle", permissions=[permission]))
        found = await _runtime(idle)
        allowed = {name for name, answer in found.items() if answer.status != 403}
        same(allowed, {permission}, f"what {permission} permits")


@check("GC-KEY-006", KEYS)
async def a_governance_operation_needs_its_permission(stand: Stand) -> None:
    idle = stand.keyed("idle")
    answer = await idle.get("/v1/admin/budgets")
    refused(answer, 403, "INSUFFICIENT_PERMISSIONS")
    body = {"scope": stand.scope("agent:x"), "unit": "TOKENS", "allocated": None}
    refused(await idle.post("/v1/admin/budgets", body), 403, "INSUFFICIENT_PERMISSIONS")


@check("GC-KEY-007", KEYS)
async def admin_read_covers_every_read(stand: Stand) -> None:
    reader = stand.keyed("reader")
    done(await reader.get("/v1/balances", tenant=stand.tenant))
    done(await reader.get("/v1/admin/budgets"))
    refused(await reader.reserve(1), 403, "FORBIDDEN")
    answer = await stand.keyed("writer").get("/v1/balances", tenant=stand.tenant)
    refused(answer, 403, "FORBIDDEN")


@check("GC-KEY-008", SCOPED)
async def a_key_reaches_its_scopes_alone(stand: Stand) -> None:
    scoped = stand.keyed("scoped")
    inside = stand.subject(agent="a")
    await scoped.held(1, subject=inside)
    for subject in (stand.subject(), stand.subject(agent="b"), stand.subject(agent="ab")):
        refused(await scoped.reserve(1, subject=subject), 403, "FORBIDDEN")
        refused(await scoped.decide(1, subject=subject), 403, "FORBIDDEN")
        refused(await scoped.record(1, subject=subject), 403, "FORBIDDEN")
    done(await scoped.decide(1, subject=stand.subject(workspace="any")))
    await stand.shows(remaining=999)


@check("GC-KEY-009", SCOPED)
async def a_key_settles_in_its_scopes_alone(stand: Stand) -> None:
    scoped = stand.keyed("scoped")
    outside = await stand.held(1, subject=stand.subject(agent="b"))
    answers = (
        await scoped.row(outside),
        await scoped.extend(outside),
        await scoped.commit(outside, 1),
        await scoped.release(outside),
    )
    all_refused(answers, 403, "FORBIDDEN")
    done(await stand.commit(outside, 1))


@check("GC-KEY-010", SCOPED)
async def a_key_lists_its_scopes_alone(stand: Stand) -> None:
    scoped = stand.keyed("scoped")
    inside = await stand.held(1, subject=stand.subject(agent="a"))
    await stand.held(1, subject=stand.subject(agent="b"))
    same(await scoped.ids(), [inside], "ids in the list")
    rows = done(await scoped.get("/v1/balances", tenant=stand.tenant))["balances"]
    same([row["scope_path"] for row in rows], [stand.scope("agent:a")], "scopes of the balances")


@check("GC-KEY-011", SCOPED)
async def a_key_knows_what_it_may_do(stand: Stand) -> None:
    found = done(await stand.keyed("scoped").get("/v1/auth/introspect"))
    same(found["authenticated"], True, "authenticated")
    same(found["auth_type"], "tenant", "auth_type")
    same(found["tenant_id"], stand.tenant, "tenant_id")
    same(sorted(found["scope_filter"]), ["agent:a", "workspace:*"], "scope_filter")
    expect(set(RUNTIME) <= set(found["permissions"]), "permissions of a new key are missing")
    flags = found["capabilities"]
    for name in ("view_budgets", "view_policies", "manage_reservations", "manage_budgets"):
        same(flags[name], True, name)
    for name in ("view_tenants", "view_api_keys", "view_audit", "view_overview", "view_webhooks"):
        same(flags[name], False, name)


@check("GC-KEY-012", POOR)
async def the_operator_may_do_everything(stand: Stand) -> None:
    found = done(await stand.govern("GET", "/v1/auth/introspect"))
    same((found["auth_type"], found["permissions"]), ("admin", ["*"]), "auth_type, permissions")
    expect(all(found["capabilities"].values()), "the operator lacks a capability")
    expect("tenant_id" not in found, "the operator has a tenant")
    nobody = await stand.caller.without_keys().ask("GET", "/v1/auth/introspect")
    refused(nobody, 401, "UNAUTHORIZED")


@check("GC-KEY-013", POOR)
async def a_secret_is_validated(stand: Stand) -> None:
    path = "/v1/auth/validate"
    good = done(await stand.govern("POST", path, {"key_secret": stand.keys[MAIN]}))
    same((good["valid"], good["tenant_id"]), (True, stand.tenant), "valid, tenant_id")
    bad = done(await stand.govern("POST", path, {"key_secret": "nobody's"}))
    same(bad["valid"], False, "valid")


@check("GC-KEY-014", slow=True)
async def an_expired_key_opens_nothing(stand: Stand) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    body = {"tenant_id": stand.tenant, "name": "short", "expires_at": soon.isoformat()}
    secret = done(await stand.govern("POST", PATH, body), 201)["key_secret"]
    caller = stand.caller.keyed(str(secret))
    await anyio.sleep(2.5)
    refused(await caller.ask("GET", "/v1/auth/introspect"), 401, "UNAUTHORIZED")
