"""Tenants: made, read, changed, suspended."""

from collections.abc import AsyncIterator
from typing import Any, Final

from runcycles_server.conformance.client import ADMIN_KEY, API_KEY, Answer
from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import MAIN, POOR
from runcycles_server.conformance.stand import Stand

topic = Topic()
check = topic.check

PATH: Final = "/v1/admin/tenants"


@check("GC-TENANT-001", POOR)
async def making_it_twice_is_making_it_once(stand: Stand) -> None:
    answer = await stand.govern("POST", PATH, {"tenant_id": stand.tenant, "name": stand.tenant})
    same(done(answer, 200)["tenant_id"], stand.tenant, "tenant_id")


@check("GC-TENANT-002", POOR)
async def another_name_is_a_duplicate(stand: Stand) -> None:
    answer = await stand.govern("POST", PATH, {"tenant_id": stand.tenant, "name": "Another"})
    refused(answer, 409, "DUPLICATE_RESOURCE")


@check("GC-TENANT-003", POOR)
async def an_unknown_one_is_404(stand: Stand) -> None:
    path = f"{PATH}/{stand.tenant}-never-was"
    refused(await stand.govern("GET", path), 404, "TENANT_NOT_FOUND")
    refused(await stand.govern("PATCH", path, {"name": "x"}), 404, "TENANT_NOT_FOUND")


@check("GC-TENANT-004", POOR)
async def an_id_has_its_form(stand: Stand) -> None:
    for wrong in ("ab", "x" * 65, "Acme", "a/b/c", "acme corp", "", "acme_corp"):
        answer = await stand.govern("POST", PATH, {"tenant_id": wrong, "name": "x"})
        refused(answer, 400, "INVALID_REQUEST")


@check("GC-TENANT-005", POOR)
async def there_are_defaults(stand: Stand) -> None:
    found = done(await stand.govern("GET", f"{PATH}/{stand.tenant}"))
    same(found["status"], "ACTIVE", "status")
    for name, wanted in (
        ("default_commit_overage_policy", "ALLOW_IF_AVAILABLE"),
        ("default_reservation_ttl_ms", 60_000),
        ("max_reservation_ttl_ms", 3_600_000),
        ("max_reservation_extensions", 10),
    ):
        same(found.get(name) or wanted, wanted, name)


@check("GC-TENANT-006", POOR)
async def a_change_leaves_the_rest(stand: Stand) -> None:
    path = f"{PATH}/{stand.tenant}"
    before = done(await stand.govern("GET", path)).json
    done(await stand.govern("PATCH", path, {"name": "Another", "metadata": {"a": "b"}}))
    after = done(await stand.govern("GET", path)).json
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    same(changed - {"updated_at"}, {"name", "metadata"}, "members that changed")


@check("GC-TENANT-007", POOR)
async def pages_show_each_tenant_once(stand: Stand) -> None:
    made = [stand.tenant, f"{stand.tenant}-b", f"{stand.tenant}-c"]
    for tenant in made[1:]:
        done(await stand.govern("POST", PATH, {"tenant_id": tenant, "name": tenant}), 201)
    query = {"search": stand.tenant, "limit": "1", "sort_by": "tenant_id", "sort_dir": "asc"}
    found = [
        row["tenant_id"]
        async for page in governed_pages(stand, PATH, query)
        for row in page["tenants"]
    ]
    for tenant in made[1:]:
        done(await stand.govern("PATCH", f"{PATH}/{tenant}", {"status": "CLOSED"}))
    same(found, made, "tenants on all pages")


async def governed_pages(stand: Stand, path: str, query: dict[str, str]) -> AsyncIterator[Answer]:
    """The pages of an operator's list."""
    cursor: dict[str, str] = {}
    while True:
        page = done(await stand.govern("GET", path, query={**query, **cursor}))
        yield page
        if not page.get("next_cursor"):
            return
        cursor = {"cursor": str(page["next_cursor"])}


@check("GC-TENANT-008")
async def a_suspended_one_starts_nothing(stand: Stand) -> None:
    path = f"{PATH}/{stand.tenant}"
    done(await stand.govern("PATCH", path, {"status": "SUSPENDED"}))
    answer = await stand.reserve(1)
    expect(answer.status in (401, 403), f"a suspended tenant's reserve is answered {answer.status}")
    done(await stand.govern("PATCH", path, {"status": "ACTIVE"}))
    await stand.held(1)
    await stand.shows(remaining=999, reserved=1, spent=0)


@check("GC-TENANT-009", POOR)
async def a_body_is_read_strictly(stand: Stand) -> None:
    body: dict[str, Any] = {"tenant_id": f"{stand.tenant}-x", "name": "x"}
    for wrong in (
        {**body, "budget": 1},
        {**body, "name": None},
        {**body, "default_reservation_ttl_ms": 999},
        {**body, "max_reservation_ttl_ms": 86_400_001},
        {**body, "max_reservation_extensions": -1},
        {**body, "default_commit_overage_policy": "MAYBE"},
        {"name": "x"},
    ):
        refused(await stand.govern("POST", PATH, wrong), 400, "INVALID_REQUEST")
    refused(await stand.govern("GET", f"{PATH}/{stand.tenant}-x"), 404, "TENANT_NOT_FOUND")


@check("GC-TENANT-010", POOR)
async def only_the_operator_governs(stand: Stand) -> None:
    key = stand.keys[MAIN]
    for headers in ({}, {ADMIN_KEY: "wrong"}, {ADMIN_KEY: key}, {API_KEY: key}):
        answer = await stand.operator.without_keys().ask("GET", PATH, headers=headers)
        refused(answer, 401, "UNAUTHORIZED")
