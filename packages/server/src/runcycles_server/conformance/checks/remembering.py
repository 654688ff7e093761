"""One key, one effect: replays, conflicts, and where a key belongs."""

from typing import Any

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import STRANGER, Budget, budgets
from runcycles_server.conformance.stand import ABSENT, Stand, fresh, tokens

topic = Topic()
check = topic.check


def lasting(answer: Answer) -> Any:
    """A body without the one member that a replay recomputes."""
    return {name: value for name, value in answer.json.items() if name != "remaining_ttl_ms"}


def replayed(first: Answer, again: Answer, status: int = 200) -> None:
    """The second answer must be the first one once more."""
    same(lasting(done(again, status)), lasting(done(first, status)), "the answer to the replay")


@check("RT-IDEM-001")
async def a_reserve_is_replayed(stand: Stand) -> None:
    body = stand.question(100)
    first = await stand.post("/v1/reservations", body)
    await stand.held(1)
    replayed(first, await stand.post("/v1/reservations", body))


@check("RT-IDEM-002")
async def a_replayed_reserve_holds_once(stand: Stand) -> None:
    body = stand.question(100)
    for _ in range(3):
        done(await stand.post("/v1/reservations", body))
    await stand.shows(remaining=900, reserved=100)


@check("RT-IDEM-003")
async def another_reserve_under_the_key_conflicts(stand: Stand) -> None:
    key = fresh()
    done(await stand.reserve(100, idempotency_key=key))
    other: dict[str, Any]
    for other in (
        {"estimate": tokens(101)},
        {"subject": stand.subject(agent="a")},
        {"action": {"kind": "llm.completion", "name": "other"}},
        {"ttl_ms": 59_999},
        {"metadata": {"a": 1}},
    ):
        answer = await stand.reserve(100, idempotency_key=key, **other)
        refused(answer, 409, "IDEMPOTENCY_MISMATCH")
    await stand.shows(remaining=900, reserved=100)


@check("RT-IDEM-004")
async def a_commit_is_replayed(stand: Stand) -> None:
    reservation, key = await stand.held(100), fresh()
    first = await stand.commit(reservation, 60, idempotency_key=key)
    await stand.held(1)
    replayed(first, await stand.commit(reservation, 60, idempotency_key=key))
    await stand.shows(remaining=939, reserved=1, spent=60)


@check("RT-IDEM-005")
async def another_commit_under_the_key_conflicts(stand: Stand) -> None:
    reservation, key = await stand.held(100), fresh()
    done(await stand.commit(reservation, 60, idempotency_key=key))
    answer = await stand.commit(reservation, 61, idempotency_key=key)
    refused(answer, 409, "IDEMPOTENCY_MISMATCH")
    await stand.shows(remaining=940, spent=60)


@check("RT-IDEM-006")
async def a_release_is_replayed(stand: Stand) -> None:
    reservation, key = await stand.held(100), fresh()
    first = await stand.release(reservation, idempotency_key=key)
    replayed(first, await stand.release(reservation, idempotency_key=key))
    await stand.shows(remaining=1_000, reserved=0)


@check("RT-IDEM-007")
async def another_release_under_the_key_conflicts(stand: Stand) -> None:
    reservation, key = await stand.held(100), fresh()
    done(await stand.release(reservation, idempotency_key=key))
    answer = await stand.release(reservation, idempotency_key=key, reason="other")
    refused(answer, 409, "IDEMPOTENCY_MISMATCH")


@check("RT-IDEM-008")
async def an_extension_is_replayed(stand: Stand) -> None:
    reservation, key = await stand.held(100), fresh()
    first = await stand.extend(reservation, 5_000, idempotency_key=key)
    replayed(first, await stand.extend(reservation, 5_000, idempotency_key=key))
    further = done(await stand.extend(reservation, 1))
    grown = further["expires_at_ms"] - first["expires_at_ms"]
    same(grown, 1, "growth of expires_at_ms since the replayed extension")


@check("RT-IDEM-009")
async def another_extension_under_the_key_conflicts(stand: Stand) -> None:
    reservation, key = await stand.held(100), fresh()
    done(await stand.extend(reservation, 5_000, idempotency_key=key))
    answer = await stand.extend(reservation, 5_001, idempotency_key=key)
    refused(answer, 409, "IDEMPOTENCY_MISMATCH")


@check("RT-IDEM-010")
async def a_decision_is_replayed(stand: Stand) -> None:
    body = stand.question(1_000)
    first = await stand.post("/v1/decide", body)
    await stand.held(1)
    replayed(first, await stand.post("/v1/decide", body))
    answer = await stand.post("/v1/decide", {**body, "estimate": tokens(1)})
    refused(answer, 409, "IDEMPOTENCY_MISMATCH")


@check("RT-IDEM-011")
async def an_event_is_replayed_with_201(stand: Stand) -> None:
    body = stand.spending(100)
    first = await stand.post("/v1/events", body)
    replayed(first, await stand.post("/v1/events", body), 201)
    await stand.shows(remaining=900, spent=100)


@check("RT-IDEM-012")
async def another_event_under_the_key_conflicts(stand: Stand) -> None:
    key = fresh()
    done(await stand.record(100, idempotency_key=key), 201)
    refused(await stand.record(101, idempotency_key=key), 409, "IDEMPOTENCY_MISMATCH")
    await stand.shows(remaining=900, spent=100)


@check("RT-IDEM-013")
async def the_header_may_repeat_the_key(stand: Stand) -> None:
    body = stand.question(1)
    done(await stand.post("/v1/reservations", body, X_Idempotency_Key=body["idempotency_key"]))


@check("RT-IDEM-014")
async def the_header_may_not_differ(stand: Stand) -> None:
    answer = await stand.post("/v1/reservations", stand.question(1), X_Idempotency_Key=fresh())
    refused(answer, 400, "INVALID_REQUEST")
    await stand.shows(remaining=1_000, reserved=0)


@check("RT-IDEM-015")
async def the_header_is_no_replacement(stand: Stand) -> None:
    body = stand.question(1, idempotency_key=ABSENT)
    answer = await stand.post("/v1/reservations", body, X_Idempotency_Key=fresh())
    refused(answer, 400, "INVALID_REQUEST")


@check("RT-IDEM-016")
async def a_key_belongs_to_its_endpoint(stand: Stand) -> None:
    key = fresh()
    done(await stand.decide(1, idempotency_key=key))
    reservation = await stand.held(1, idempotency_key=key)
    done(await stand.record(1, idempotency_key=key), 201)
    done(await stand.extend(reservation, idempotency_key=key))
    done(await stand.commit(reservation, 1, idempotency_key=key))


@check("RT-IDEM-017", STRANGER)
async def a_key_belongs_to_its_tenant(stand: Stand) -> None:
    key = fresh()
    own = await stand.held(1, idempotency_key=key)
    theirs = await stand.stranger.held(2, idempotency_key=key)
    expect(own != theirs, "two tenants with one key got one reservation")


@check("RT-IDEM-018")
async def a_refusal_is_not_remembered(stand: Stand) -> None:
    key = fresh()
    refused(await stand.reserve(1_001, idempotency_key=key), 409, "BUDGET_EXCEEDED")
    done(await stand.reserve(1_000, idempotency_key=key))


@check("RT-IDEM-019")
async def a_dry_run_shares_the_keys_of_reserve(stand: Stand) -> None:
    dry, live = fresh(), fresh()
    done(await stand.reserve(1, idempotency_key=dry, dry_run=True))
    done(await stand.reserve(1, idempotency_key=live))
    refused(await stand.reserve(1, idempotency_key=dry), 409, "IDEMPOTENCY_MISMATCH")
    answer = await stand.reserve(1, idempotency_key=live, dry_run=True)
    refused(answer, 409, "IDEMPOTENCY_MISMATCH")
    await stand.shows(remaining=999, reserved=1)


@check("RT-IDEM-020")
async def the_order_of_members_is_no_difference(stand: Stand) -> None:
    body = stand.question(1, metadata={"a": 1, "b": {"c": 2, "d": 3}})
    first = await stand.post("/v1/reservations", body)
    turned = {name: body[name] for name in reversed(body)}
    turned["metadata"] = {"b": {"d": 3, "c": 2}, "a": 1}
    replayed(first, await stand.post("/v1/reservations", turned))


@check("RT-IDEM-021")
async def a_commits_key_belongs_to_its_reservation(stand: Stand) -> None:
    one, two, key = await stand.held(1), await stand.held(2), fresh()
    done(await stand.commit(one, 1, idempotency_key=key))
    same(
        done(await stand.commit(two, 2, idempotency_key=key))["charged"],
        tokens(2),
        "charged by the second reservation",
    )


@check("RT-IDEM-022", budgets(Budget(allocated=100)))
async def a_replay_wins_over_an_empty_budget(stand: Stand) -> None:
    body = stand.question(100)
    first = await stand.post("/v1/reservations", body)
    replayed(first, await stand.post("/v1/reservations", body))
    done(await stand.commit(str(first["reservation_id"]), 150))
    replayed(first, await stand.post("/v1/reservations", body))


@check("RT-IDEM-023")
async def a_replay_wins_over_the_end_of_the_reservation(stand: Stand) -> None:
    body, key = stand.question(100), fresh()
    first = await stand.post("/v1/reservations", body)
    reservation = str(first["reservation_id"])
    extended = await stand.extend(reservation, 5_000, idempotency_key=key)
    done(await stand.release(reservation))
    replayed(first, await stand.post("/v1/reservations", body))
    replayed(extended, await stand.extend(reservation, 5_000, idempotency_key=key))
    await stand.shows(remaining=1_000, reserved=0)


@check("RT-IDEM-024")
async def a_dry_run_is_replayed(stand: Stand) -> None:
    body = stand.question(1_000, dry_run=True)
    first = await stand.post("/v1/reservations", body)
    await stand.held(1)
    replayed(first, await stand.post("/v1/reservations", body))


@check("RT-IDEM-025")
async def keys_are_told_apart_by_every_character(stand: Stand) -> None:
    key = fresh()
    found = {
        await stand.held(1, idempotency_key=each)
        for each in (key, key.upper(), f"{key} ", f" {key}", f"{key}\u00e9", f"{key}e\u0301")
    }
    same(len(found), 6, "reservations under six different keys")
