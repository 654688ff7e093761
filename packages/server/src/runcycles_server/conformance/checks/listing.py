"""listReservations: filters, windows and projection."""

from datetime import UTC, datetime
from typing import Any, Final

from runcycles_server.conformance.expecting import done, expect, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.setups import Budget, budgets
from runcycles_server.conformance.stand import Stand, fresh

topic = Topic()
check = topic.check

RICH: Final = budgets(Budget(allocated=1_000_000))


async def some_rows(stand: Stand) -> list[str]:
    """Six reservations in all kinds of states, amounts and scopes."""
    found = [
        await stand.held(amount, subject=stand.subject(agent=agent), ttl_ms=ttl_ms)
        for amount, agent, ttl_ms in (
            (30, "a", 60_000),
            (100, "b", 50_000),
            (2, "a", 70_000),
            (30, "c", 60_000),
            (9, "b", 40_000),
            (30, "a", 60_000),
        )
    ]
    done(await stand.commit(found[0], 30))
    done(await stand.release(found[1]))
    return found


def at(ms: int) -> str:
    """A moment as the windows want it."""
    text = datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ms % 1_000:03}Z"


async def listed_rows(stand: Stand, **query: Any) -> list[dict[str, Any]]:
    """The rows of a page."""
    return list(done(await stand.listed(**query))["reservations"])


@check("RT-LIST-001", RICH)
async def lists_every_state(stand: Stand) -> None:
    wanted = await some_rows(stand)
    same(sorted(await stand.ids()), sorted(wanted), "ids")


@check("RT-LIST-002", RICH)
async def finds_a_reservation_by_its_key(stand: Stand) -> None:
    key = fresh()
    wanted = await stand.held(1, idempotency_key=key)
    await stand.held(1)
    rows = await listed_rows(stand, idempotency_key=key)
    same([row["reservation_id"] for row in rows], [wanted], "ids under the key")
    same(rows[0].get("idempotency_key", key), key, "idempotency_key of the row")
    same(await stand.ids(idempotency_key=fresh()), [], "ids under a key that nobody used")


@check("RT-LIST-003", RICH)
async def filters_by_status(stand: Stand) -> None:
    made = await some_rows(stand)
    same(await stand.ids(status="COMMITTED"), [made[0]], "COMMITTED ids")
    same(await stand.ids(status="RELEASED"), [made[1]], "RELEASED ids")
    same(sorted(await stand.ids(status="ACTIVE")), sorted(made[2:]), "ACTIVE ids")
    same(await stand.ids(status="EXPIRED"), [], "EXPIRED ids")


@check("RT-LIST-004")
async def an_unknown_status_is_400(stand: Stand) -> None:
    refused(await stand.listed(status="LOST"), 400, "INVALID_REQUEST")


@check("RT-LIST-005", RICH)
async def filters_by_whole_segments(stand: Stand) -> None:
    levels = ("workspace", "app", "workflow", "agent", "toolset")
    for level in levels:
        wanted = await stand.held(1, subject=stand.subject(**{level: "acme"}))
        await stand.held(1, subject=stand.subject(**{level: "acme-corp"}))
        same(await stand.ids(**{level: "acme"}), [wanted], f"ids with the {level} acme")
        same(await stand.ids(**{level: "corp"}), [], f"ids with the {level} corp")


@check("RT-LIST-006", RICH)
async def filters_combine(stand: Stand) -> None:
    made = await some_rows(stand)
    same(await stand.ids(agent="a", status="COMMITTED"), [made[0]], "COMMITTED ids of the agent a")
    same(await stand.ids(agent="c", status="COMMITTED"), [], "COMMITTED ids of the agent c")


@check("RT-LIST-007", RICH)
async def the_window_of_creation_is_inclusive(stand: Stand) -> None:
    row = done(await stand.row(await stand.held(1)))
    await _is_inclusive(stand, row["reservation_id"], row["created_at_ms"], "from", "to")


@check("RT-LIST-008", RICH)
async def the_window_of_expiry_is_inclusive(stand: Stand) -> None:
    row = done(await stand.row(await stand.held(1)))
    await _is_inclusive(
        stand, row["reservation_id"], row["expires_at_ms"], "expires_from", "expires_to"
    )


@check("RT-LIST-009", RICH)
async def the_window_of_the_end_leaves_active_ones_out(stand: Stand) -> None:
    reservation = await stand.held(1)
    await stand.held(1)
    done(await stand.commit(reservation, 1))
    row = done(await stand.row(reservation))
    await _is_inclusive(
        stand, reservation, row["finalized_at_ms"], "finalized_from", "finalized_to"
    )
    same(await stand.ids(finalized_from=at(0)), [reservation], "ids finalized since 1970")


async def _is_inclusive(stand: Stand, wanted: str, ms: int, low: str, high: str) -> None:
    found = {
        "the moment itself": (at(ms), at(ms)),
        "one ms around it": (at(ms - 1), at(ms + 1)),
    }
    missed = {"before it": (at(0), at(ms - 1)), "after it": (at(ms + 1), at(ms + 10**9))}
    for what, (first, last) in {**found, **missed}.items():
        ids = await stand.ids(**{f"{low}_": first, f"{high}_": last})
        same(wanted in ids, what in found, f"the row is in the window of {what}")


@check("RT-LIST-010")
async def a_window_backwards_is_400(stand: Stand) -> None:
    for low, high in (
        ("from", "to"),
        ("expires_from", "expires_to"),
        ("finalized_from", "finalized_to"),
    ):
        answer = await stand.listed(**{f"{low}_": at(2_000), f"{high}_": at(1_000)})
        refused(answer, 400, "INVALID_REQUEST")


@check("RT-LIST-011", RICH)
async def a_blank_bound_is_open(stand: Stand) -> None:
    wanted = await stand.held(1)
    same(await stand.ids(from_="", to="", expires_from="", finalized_to=""), [wanted], "ids")


@check("RT-LIST-012")
async def a_bound_that_is_no_moment_is_400(stand: Stand) -> None:
    for wrong in ("yesterday", "12", "2026-13-01T00:00:00Z", "2026-01-01"):
        refused(await stand.listed(from_=wrong), 400, "INVALID_REQUEST")


@check("RT-LIST-017", RICH)
async def metadata_comes_only_when_asked_for(stand: Stand) -> None:
    reservation = await stand.held(1, metadata={"a": 1})
    done(await stand.commit(reservation, 1, metadata={"b": 2}))
    (row,) = await listed_rows(stand)
    expect(not {"metadata", "committed_metadata"} & row.keys(), "metadata came unasked")
    (row,) = await listed_rows(stand, include="metadata,committed_metadata")
    same(row["metadata"], {"a": 1}, "metadata")
    same(row["committed_metadata"], {"b": 2}, "committed_metadata")
    (row,) = await listed_rows(stand, include="committed_metadata")
    same("metadata" in row, False, "metadata is there where only the commit's was asked for")


@check("RT-LIST-018", RICH)
async def unknown_tokens_and_parameters_are_ignored(stand: Stand) -> None:
    wanted = await stand.held(1)
    same(await stand.ids(include=",colour,,", colour="red"), [wanted], "ids")
