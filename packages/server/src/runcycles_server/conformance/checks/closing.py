"""Closing a tenant: everything that it has ends with it, for good."""

from typing import Final

from runcycles_server.conformance.client import ADMIN_KEY, Answer
from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import Budget, budgets
from runcycles_server.conformance.stand import Stand, fresh, tokens

topic = Topic()
check = topic.check

PATH: Final = "/v1/admin/tenants"
TWO: Final = budgets(Budget(), Budget(scope="agent:a", frozen=True))


async def _close(stand: Stand) -> Answer:
    return await stand.govern("PATCH", f"{PATH}/{stand.tenant}", {"status": "CLOSED"})


async def _release(stand: Stand, reservation: str, key: str) -> Answer:
    path = f"/v1/reservations/{reservation}/release"
    return await stand.govern("POST", path, {"idempotency_key": key})


@check("GC-CLOSE-001")
async def its_keys_open_nothing(stand: Stand) -> None:
    await stand.held(1)
    same(done(await _close(stand))["status"], "CLOSED", "status")
    answer = await stand.reserve(1)
    expect(
        (answer.status, answer.code) in ((401, "UNAUTHORIZED"), (409, "TENANT_CLOSED")),
        f"a closed tenant's reserve is answered {answer.status}",
    )


@check("GC-CLOSE-002", TWO)
async def its_budgets_close_with_nothing_reserved(stand: Stand) -> None:
    await stand.held(100)
    done(await _close(stand))
    query = {"tenant_id": stand.tenant}
    rows = done(await stand.govern("GET", "/v1/admin/budgets", query=query))["ledgers"]
    same([row["status"] for row in rows], ["CLOSED", "CLOSED"], "status of the budgets")
    same({row["reserved"]["amount"] for row in rows}, {0}, "reserved")
    same({row["remaining"]["amount"] for row in rows}, {1_000}, "remaining")


@check("GC-CLOSE-003")
async def its_reservations_are_released(stand: Stand) -> None:
    held, settled = await stand.held(100), await stand.held(10)
    done(await stand.commit(settled, 5))
    done(await _close(stand))
    query = {"tenant": stand.tenant}
    rows = done(await stand.govern("GET", "/v1/reservations", query=query))["reservations"]
    found = {row["reservation_id"]: row["status"] for row in rows}
    same(found, {held: "RELEASED", settled: "COMMITTED"}, "reservations of the closed tenant")


@check("GC-CLOSE-004")
async def closing_again_changes_nothing(stand: Stand) -> None:
    done(await _close(stand))
    before = done(await stand.govern("GET", f"{PATH}/{stand.tenant}")).json
    done(await _close(stand))
    same(done(await stand.govern("GET", f"{PATH}/{stand.tenant}")).json, before, "the tenant")


@check("GC-CLOSE-005")
async def there_is_no_way_back(stand: Stand) -> None:
    done(await _close(stand))
    for status in ("ACTIVE", "SUSPENDED"):
        answer = await stand.govern("PATCH", f"{PATH}/{stand.tenant}", {"status": status})
        expect(answer.status in (400, 409), f"CLOSED to {status} is answered {answer.status}")
    same(done(await stand.govern("GET", f"{PATH}/{stand.tenant}"))["status"], "CLOSED", "status")


@check("GC-CLOSE-006")
async def nothing_of_it_can_be_changed(stand: Stand) -> None:
    done(await _close(stand))
    tenant = stand.tenant
    budget = {
        "tenant_id": tenant,
        "scope": stand.scope("agent:x"),
        "unit": "TOKENS",
        "allocated": tokens(1),
    }
    credit = {"operation": "CREDIT", "amount": tokens(1)}
    for answer in (
        await stand.govern("POST", "/v1/admin/api-keys", {"tenant_id": tenant, "name": "x"}),
        await stand.govern("POST", "/v1/admin/budgets", budget),
        await stand.govern_budget("POST", "/fund", credit, tenant_id=tenant),
        await stand.govern_budget("POST", "/freeze", {}),
        await stand.govern_budget("PATCH", "", {"overdraft_limit": tokens(1)}),
    ):
        refused(answer, 409, "TENANT_CLOSED")


@check("GC-CLOSE-007")
async def a_release_comes_too_late(stand: Stand) -> None:
    held, settled = await stand.held(100), await stand.held(10)
    done(await stand.commit(settled, 5))
    done(await _close(stand))
    for reservation in (held, settled):
        refused(await _release(stand, reservation, fresh()), 409, "TENANT_CLOSED")


@check("GC-CLOSE-008")
async def a_replay_wins_over_the_close(stand: Stand) -> None:
    reservation, key = await stand.held(100), fresh()
    first = done(await _release(stand, reservation, key))
    done(await _close(stand))
    same(done(await _release(stand, reservation, key)).json, first.json, "the replayed answer")


@check("GC-ADMIN-001")
async def the_operator_names_the_tenant_of_a_list(stand: Stand) -> None:
    reservation = await stand.held(1)
    refused(await stand.govern("GET", "/v1/reservations"), 400, "INVALID_REQUEST")
    query = {"tenant": stand.tenant}
    rows = done(await stand.govern("GET", "/v1/reservations", query=query))["reservations"]
    same([row["reservation_id"] for row in rows], [reservation], "ids")


@check("GC-ADMIN-002")
async def the_operator_reads_and_releases_any(stand: Stand) -> None:
    reservation = await stand.held(100)
    found = done(await stand.govern("GET", f"/v1/reservations/{reservation}"))
    same(found["status"], "ACTIVE", "status")
    same(done(await _release(stand, reservation, fresh()))["status"], "RELEASED", "status")
    await stand.shows(remaining=1_000, reserved=0)


@check("GC-ADMIN-003")
async def a_wrong_admin_key_is_no_fallback(stand: Stand) -> None:
    caller = stand.caller.keyed(stand.keys["main"])
    answer = await caller.ask("GET", "/v1/reservations", headers={ADMIN_KEY: "wrong"})
    refused(answer, 401, "UNAUTHORIZED")


@check("GC-ADMIN-004")
async def the_operator_does_not_spend(stand: Stand) -> None:
    answer = await stand.govern("POST", "/v1/reservations", stand.question(1))
    refused(answer, 401, "UNAUTHORIZED")
    await stand.shows(remaining=1_000)
