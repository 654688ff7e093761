"""What time does to a reservation, with the shortest leases there are."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.stand import Stand, fresh

topic = Topic()
check = topic.check

LEASE_MS: Final = 1_000
"""The shortest that the protocol has."""
OVER_S: Final = 1.25
"""After this long such a lease is over on the server's clock too."""
SWEPT_WITHIN_S: Final = 30.0
"""The protocol names no bound; a hold that outlives its lease by this much is stuck."""


async def _overdue(stand: Stand, grace_ms: int = 0) -> str:
    """A reservation whose lease is just over."""
    reservation = await stand.held(100, ttl_ms=LEASE_MS, grace_period_ms=grace_ms)
    await anyio.sleep(OVER_S)
    return reservation


async def _until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask again and again until it holds."""
    deadline = time.monotonic() + SWEPT_WITHIN_S
    while not await holds():
        expect(time.monotonic() < deadline, f"{what} not within {SWEPT_WITHIN_S:.0f} s")
        await anyio.sleep(0.1)


async def _swept(stand: Stand, reservation: str) -> Answer:
    """The answer about a reservation that the server has expired."""
    last: list[Answer] = []

    async def is_gone() -> bool:
        last[:] = [await stand.row(reservation)]
        return last[0].status != 200

    await _until(is_gone, "the reservation was expired")
    return last[0]


@check("RT-EXPIRY-001", slow=True)
async def no_commit_after_the_grace(stand: Stand) -> None:
    refused(await stand.commit(await _overdue(stand), 10), 410, "RESERVATION_EXPIRED")


@check("RT-EXPIRY-002", slow=True)
async def no_release_after_the_grace(stand: Stand) -> None:
    refused(await stand.release(await _overdue(stand)), 410, "RESERVATION_EXPIRED")


@check("RT-EXPIRY-003", slow=True)
async def no_extension_after_the_lease(stand: Stand) -> None:
    reservation = await _overdue(stand, grace_ms=60_000)
    refused(await stand.extend(reservation), 410, "RESERVATION_EXPIRED")


@check("RT-EXPIRY-004", slow=True)
async def grace_allows_settling(stand: Stand) -> None:
    committed = await stand.held(10, ttl_ms=LEASE_MS, grace_period_ms=60_000)
    released = await _overdue(stand, grace_ms=60_000)
    done(await stand.commit(committed, 10))
    done(await stand.release(released))
    await stand.shows(remaining=990, reserved=0, spent=10)


@check("RT-EXPIRY-005", slow=True)
async def an_expired_hold_is_given_back(stand: Stand) -> None:
    await stand.held(100, ttl_ms=LEASE_MS, grace_period_ms=0)
    await stand.shows(remaining=900, reserved=100)

    async def is_back() -> bool:
        return bool((await stand.balance())["remaining"]["amount"] == 1_000)

    await _until(is_back, "what an expired reservation held was given back")
    await stand.shows(remaining=1_000, reserved=0, spent=0)


@check("RT-EXPIRY-006", slow=True)
async def an_expired_one_reads_as_gone(stand: Stand) -> None:
    answer = await _swept(stand, await _overdue(stand))
    refused(answer, 410, "RESERVATION_EXPIRED")


@check("RT-EXPIRY-007", slow=True)
async def an_expired_one_is_listed(stand: Stand) -> None:
    reservation = await stand.held(1, ttl_ms=LEASE_MS, grace_period_ms=0)

    async def is_listed() -> bool:
        return await stand.ids(status="EXPIRED") == [reservation]

    await _until(is_listed, "the reservation was listed as EXPIRED")
    row = done(await stand.listed(status="EXPIRED"))["reservations"][0]
    expect("finalized_at_ms" not in row, "an EXPIRED row has finalized_at_ms")


@check("RT-EXPIRY-008", slow=True)
async def a_replay_says_what_is_left_now(stand: Stand) -> None:
    body = stand.question(10, ttl_ms=20_000)
    first = done(await stand.post("/v1/reservations", body))
    await anyio.sleep(OVER_S)
    again = done(await stand.post("/v1/reservations", body))
    same(again["expires_at_ms"], first["expires_at_ms"], "expires_at_ms of the replay")
    passed = first["remaining_ttl_ms"] - again["remaining_ttl_ms"]
    expect(passed >= 1_000, f"after {OVER_S} s remaining_ttl_ms is less by {passed}")


@check("RT-EXPIRY-009", slow=True)
async def a_replay_outlives_the_lease(stand: Stand) -> None:
    body = stand.question(10, ttl_ms=LEASE_MS, grace_period_ms=0)
    first = done(await stand.post("/v1/reservations", body))
    await anyio.sleep(OVER_S)
    again = done(await stand.post("/v1/reservations", body))
    same(again["reservation_id"], first["reservation_id"], "reservation_id of the replay")
    same(again.get("remaining_ttl_ms") or 0, 0, "remaining_ttl_ms of a lease that is over")


@check("RT-EXPIRY-010", slow=True)
async def extending_really_keeps_it_alive(stand: Stand) -> None:
    reservation = await stand.held(100, ttl_ms=LEASE_MS, grace_period_ms=0)
    done(await stand.extend(reservation, 60_000))
    await anyio.sleep(OVER_S)
    done(await stand.commit(reservation, 100))


@check("RT-EXPIRY-011", slow=True)
async def grace_is_five_seconds_by_default(stand: Stand) -> None:
    reservation = await stand.held(100, ttl_ms=LEASE_MS)
    await anyio.sleep(OVER_S)
    done(await stand.commit(reservation, 100))


@check("RT-EXPIRY-012", slow=True)
async def a_key_is_remembered_after_a_while(stand: Stand) -> None:
    body, commit_key = stand.question(100), fresh()
    first = done(await stand.post("/v1/reservations", body))
    reservation = str(first["reservation_id"])
    done(await stand.commit(reservation, 60, idempotency_key=commit_key))
    await anyio.sleep(2 * OVER_S)
    again = done(await stand.post("/v1/reservations", body))
    same(again["reservation_id"], reservation, "reservation_id of the replay")
    done(await stand.commit(reservation, 60, idempotency_key=commit_key))
    await stand.shows(remaining=940, reserved=0, spent=60)
