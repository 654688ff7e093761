"""listReservations: orders, pages and cursors."""

from typing import Any, Final

from runcycles_server.conformance.checks.listing import RICH, at, listed_rows, some_rows
from runcycles_server.conformance.checks.reading import pages
from runcycles_server.conformance.expecting import done, refused, same
from runcycles_server.conformance.registry import Topic
from runcycles_server.conformance.stand import Stand

topic = Topic()
check = topic.check

PATH: Final = "/v1/reservations"
SORTS: Final = (
    "reservation_id",
    "tenant",
    "scope_path",
    "status",
    "reserved",
    "created_at_ms",
    "expires_at_ms",
)


@check("RT-LIST-013", RICH)
async def sorts_by_everything_both_ways(stand: Stand) -> None:
    made = await some_rows(stand)
    rows = {row["reservation_id"]: row for row in await listed_rows(stand)}
    for name in SORTS:
        for direction in ("asc", "desc"):
            found = await stand.ids(sort_by=name, sort_dir=direction)
            same(sorted(found), sorted(made), f"ids sorted by {name}")
            values = [_sort_value(rows[each], name) for each in found]
            wanted = sorted(values, reverse=direction == "desc")
            same(values, wanted, f"{name} in the order {direction}")


@check("RT-LIST-014", RICH)
async def ties_are_in_the_order_of_ids(stand: Stand) -> None:
    await some_rows(stand)
    for direction in ("asc", "desc"):
        rows = await listed_rows(stand, sort_by="tenant", sort_dir=direction)
        found = [row["reservation_id"] for row in rows]
        same(found, sorted(found), f"ids that tie, in the order {direction}")


@check("RT-LIST-015", RICH)
async def one_of_order_and_direction_is_enough(stand: Stand) -> None:
    await some_rows(stand)
    for query, name, backwards in (
        ({"sort_by": "reserved"}, "reserved", True),
        ({"sort_dir": "asc"}, "created_at_ms", False),
    ):
        values = [_sort_value(row, name) for row in await listed_rows(stand, **query)]
        same(values, sorted(values, reverse=backwards), f"{name} with {query}")


@check("RT-LIST-016")
async def an_unknown_order_is_400(stand: Stand) -> None:
    refused(await stand.listed(sort_by="colour"), 400, "INVALID_REQUEST")
    refused(await stand.listed(sort_dir="sideways"), 400, "INVALID_REQUEST")


def _sort_value(row: dict[str, Any], name: str) -> Any:
    if name == "tenant":
        return row["subject"].get("tenant", "")
    return row["reserved"]["amount"] if name == "reserved" else row[name]


@check("RT-LIST-019")
async def a_page_has_1_to_200_rows(stand: Stand) -> None:
    for limit in ("1", "200"):
        done(await stand.listed(limit=limit))
    for limit in ("0", "201", "-1", "many", "1.5"):
        refused(await stand.listed(limit=limit), 400, "INVALID_REQUEST")


@check("RT-LIST-020", RICH)
async def pages_show_each_row_once(stand: Stand) -> None:
    made = await some_rows(stand)
    for order in ({}, *({"sort_by": name, "sort_dir": "asc"} for name in SORTS)):
        found = [
            row["reservation_id"]
            async for page in pages(stand, PATH, limit="2", **order)
            for row in page["reservations"]
        ]
        same(sorted(found), sorted(made), f"ids on all pages, ordered by {order or 'nothing'}")


@check("RT-LIST-021", RICH)
async def pages_keep_the_order(stand: Stand) -> None:
    await some_rows(stand)
    order = {"sort_by": "reserved", "sort_dir": "desc"}
    whole = await stand.ids(**order)
    found = [
        row["reservation_id"]
        async for page in pages(stand, PATH, limit="2", **order)
        for row in page["reservations"]
    ]
    same(found, whole, "ids on all pages")


@check("RT-LIST-022", RICH)
async def a_cursor_belongs_to_its_order_and_filters(stand: Stand) -> None:
    await some_rows(stand)
    order = {"sort_by": "reserved", "sort_dir": "asc"}
    cursor = done(await stand.listed(limit="2", **order))["next_cursor"]
    other: dict[str, Any]
    for other in (
        {**order, "sort_dir": "desc"},
        {**order, "sort_by": "status"},
        {**order, "agent": "a"},
        {**order, "status": "ACTIVE"},
        {**order, "from_": at(0)},
    ):
        refused(await stand.listed(cursor=cursor, **other), 400, "INVALID_REQUEST")


@check("RT-LIST-023", RICH)
async def a_cursor_takes_another_size_and_projection(stand: Stand) -> None:
    made = await some_rows(stand)
    order = {"sort_by": "reserved", "sort_dir": "asc"}
    first = done(await stand.listed(limit="2", **order))
    rest = done(
        await stand.listed(limit="200", include="metadata", cursor=first["next_cursor"], **order)
    )
    found = [row["reservation_id"] for page in (first, rest) for row in page["reservations"]]
    same(sorted(found), sorted(made), "ids on both pages")


@check("RT-LIST-024")
async def a_strange_cursor_is_400(stand: Stand) -> None:
    for wrong in ("%no-cursor%", "e30", "x" * 500):
        answer = await stand.listed(cursor=wrong, sort_by="reserved")
        refused(answer, 400, "INVALID_REQUEST")


@check("RT-LIST-025", RICH)
async def a_page_is_not_disturbed_by_new_rows(stand: Stand) -> None:
    made = await some_rows(stand)
    order = {"sort_by": "created_at_ms", "sort_dir": "desc"}
    first = done(await stand.listed(limit="3", **order))
    await stand.held(1)
    rest = done(await stand.listed(limit="200", cursor=first["next_cursor"], **order))
    found = [row["reservation_id"] for page in (first, rest) for row in page["reservations"]]
    same(sorted(found), sorted(made), "ids of the rows that were there before")
