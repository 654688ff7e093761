"""Whose is it: tenants never see, touch or name each other; and nobody comes in without a key."""

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import all_refused, done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import STRANGER
from runcycles_server.conformance.stand import Stand, fresh, tokens

topic = Topic()
check = topic.check


@check("RT-TENANT-001", STRANGER)
async def no_reservation_for_another_tenant(stand: Stand) -> None:
    subject = stand.stranger.subject()
    refused(await stand.reserve(1, subject=subject), 403, "FORBIDDEN")
    refused(await stand.reserve(1, subject=subject, dry_run=True), 403, "FORBIDDEN")
    await stand.stranger.shows(remaining=1_000, reserved=0)


@check("RT-TENANT-002", STRANGER)
async def no_decision_about_another_tenant(stand: Stand) -> None:
    refused(await stand.decide(1, subject=stand.stranger.subject()), 403, "FORBIDDEN")


@check("RT-TENANT-003", STRANGER)
async def no_event_for_another_tenant(stand: Stand) -> None:
    refused(await stand.record(1, subject=stand.stranger.subject()), 403, "FORBIDDEN")
    await stand.stranger.shows(remaining=1_000, spent=0)


@check("RT-TENANT-004", STRANGER)
async def no_balances_of_another_tenant(stand: Stand) -> None:
    answer = await stand.get("/v1/balances", tenant=stand.stranger.tenant)
    refused(answer, 403, "FORBIDDEN")


@check("RT-TENANT-005", STRANGER)
async def no_list_of_another_tenant(stand: Stand) -> None:
    refused(await stand.listed(tenant=stand.stranger.tenant), 403, "FORBIDDEN")


@check("RT-TENANT-006", STRANGER)
async def no_read_of_anothers_reservation(stand: Stand) -> None:
    reservation = await stand.stranger.held(1)
    refused(await stand.row(reservation), 403, "FORBIDDEN")


@check("RT-TENANT-007", STRANGER)
async def no_settling_of_anothers_reservation(stand: Stand) -> None:
    owner = stand.stranger
    reservation = await owner.held(100)
    answers = (
        await stand.commit(reservation, 1),
        await stand.release(reservation),
        await stand.extend(reservation),
    )
    all_refused(answers, 403, "FORBIDDEN")
    await owner.shows(remaining=900, reserved=100, spent=0)


@check("RT-TENANT-008", STRANGER)
async def nor_once_it_is_finished(stand: Stand) -> None:
    owner, key = stand.stranger, fresh()
    reservation = await owner.held(100)
    done(await owner.commit(reservation, 60, idempotency_key=key))
    answers = (
        await stand.commit(reservation, 60, idempotency_key=key),
        await stand.release(reservation),
        await stand.row(reservation),
    )
    all_refused(answers, 403, "FORBIDDEN")


@check("RT-TENANT-009", STRANGER)
async def a_refusal_tells_nothing_of_the_owner(stand: Stand) -> None:
    owner, secret = stand.stranger, "a-secret-of-the-owner"
    reservation = await owner.held(
        1, action={"kind": "llm.completion", "name": secret}, subject=owner.subject(agent=secret)
    )
    for answer in (
        await stand.row(reservation),
        await stand.commit(reservation, 1),
        await stand.release(reservation),
    ):
        refused(answer, 403, "FORBIDDEN")
        text = answer.content.decode("utf-8", "replace")
        expect(secret not in text, "the refusal shows what is inside the reservation")
        expect(owner.tenant not in text, "the refusal names the owner")


@check("RT-TENANT-010", STRANGER)
async def a_list_has_only_ones_own(stand: Stand) -> None:
    await stand.stranger.held(1)
    own = await stand.held(1)
    same(await stand.ids(), [own], "ids in the list")
    same(await stand.ids(tenant=stand.tenant), [own], "ids in the list of the named tenant")


@check("RT-TENANT-011", STRANGER)
async def balances_are_only_ones_own(stand: Stand) -> None:
    rows = done(await stand.get("/v1/balances", tenant=stand.tenant))["balances"]
    same([row["scope_path"] for row in rows], [stand.scope()], "scopes of the balances")


@check("RT-TENANT-012", STRANGER)
async def a_tenants_name_is_compared_exactly(stand: Stand) -> None:
    for name in (stand.tenant.upper(), f"{stand.tenant}-x", stand.tenant[:-1]):
        refused(await stand.reserve(1, subject={"tenant": name}), 403, "FORBIDDEN")


async def _without_a_right(stand: Stand, headers: dict[str, str]) -> list[Answer]:
    """Every operation, asked with these headers instead of a key."""
    caller = stand.caller.keyed("").with_headers(**headers)
    amount = {"idempotency_key": fresh(), "actual": tokens(1)}
    return [
        await caller.ask("POST", "/v1/reservations", stand.question(1)),
        await caller.ask("POST", "/v1/reservations/none/commit", amount),
        await caller.ask("POST", "/v1/reservations/none/release", {"idempotency_key": fresh()}),
        await caller.ask(
            "POST",
            "/v1/reservations/none/extend",
            {"idempotency_key": fresh(), "extend_by_ms": 1_000},
        ),
        await caller.ask("GET", "/v1/balances", query={"tenant": stand.tenant}),
    ]


@check("RT-AUTH-001")
async def nothing_without_a_key(stand: Stand) -> None:
    all_refused(await _without_a_right(stand, {"X_Cycles_API_Key": ""}), 401, "UNAUTHORIZED")


@check("RT-AUTH-002")
async def nothing_with_a_wrong_key(stand: Stand) -> None:
    wrong = stand.keys["main"][:-4] + "0000"
    all_refused(await _without_a_right(stand, {"X_Cycles_API_Key": wrong}), 401, "UNAUTHORIZED")
    await stand.shows(remaining=1_000)


@check("RT-AUTH-003")
async def a_key_counts_before_the_body(stand: Stand) -> None:
    caller = stand.caller.keyed("nobody")
    for content in (b"", b"{", b"[]"):
        answer = await caller.ask("POST", "/v1/reservations", content=content)
        refused(answer, 401, "UNAUTHORIZED")


@check("RT-AUTH-004")
async def another_header_is_no_key(stand: Stand) -> None:
    caller = stand.caller.keyed("").with_headers(
        Authorization=f"Bearer {stand.keys['main']}", X_Admin_API_Key=stand.keys["main"]
    )
    answer = await caller.ask("POST", "/v1/reservations", stand.question(1))
    refused(answer, 401, "UNAUTHORIZED")
