"""Which queries make a page of reservations: each walks one index, and stops when the page is full.

The index is named in the query, since SQLite, which knows no more than the names of the columns,
would rather sort a million rows that match than walk past a few that do not.
"""

from collections.abc import Iterator
from typing import Any, Final

from runcycles.types import ReservationStatus
from runcycles_server.stores.queries import ReservationQuery
from runcycles_server.stores.sqlite.codecs import RESERVATIONS
from runcycles_server.stores.sqlite.where import Order, Where

Statement = tuple[str, list[Any]]

INDEXES: Final = {
    "created_at_ms": "reservations_by_age",
    "expires_at_ms": "reservations_by_expiry",
    "reserved": "reservations_by_amount",
    "reservation_id": "reservations_by_id",
    "tenant": "reservations_by_id",  # all rows of a list have the same, so their ids decide
    "scope_path": "reservations_by_scope",
    "status": "reservations_by_status",
}
"""What is walked for each order."""
STATUSES: Final = tuple(sorted(ReservationStatus))


def statements(query: ReservationQuery) -> Iterator[Statement]:
    """Queries whose rows, one after the other, are the list; each needs a limit at its end.

    So many rows share a status that one query for all could only sort them; there is one for each.
    """
    if query.sort_by != "status":
        yield _statement(query, filters(query), INDEXES[query.sort_by])
        return
    for status in reversed(STATUSES) if query.descending else STATUSES:
        if query.status in (None, status):
            where = filters(query)
            where.add("status = ?", status)
            yield _statement(query, where, INDEXES["status"])


def one(query: ReservationQuery, reservation_id: str | None) -> Statement:
    """The query for the one reservation that may be in the list."""
    where = filters(query)
    where.add("reservation_id = ?", reservation_id)
    return _statement(query, where, None)


def filters(query: ReservationQuery) -> Where:
    """Every filter, but for the key and the place of the page."""
    where = Where()
    where.equals("tenant", query.tenant)
    where.equals("status", query.status)
    where.holds("scope_path", query.segments)
    where.passes("scope_path", query.scope_filter)
    where.lies_in("created_at_ms", query.created)
    where.lies_in("expires_at_ms", query.expires)
    where.lies_in("finalized_at_ms", query.finalized)
    if not query.finalized.is_open:
        where.add("finalized_at_ms >= 0")
    return where


def _statement(query: ReservationQuery, where: Where, index: str | None) -> Statement:
    order = Order(query.sort_by, "reservation_id", descending=query.descending)
    where.follows(order, query.after)
    if query.status is ReservationStatus.ACTIVE and index is not None:
        index = INDEXES["status"]  # what runs now is little, whatever the order
    table = RESERVATIONS.select if index is None else f"{RESERVATIONS.select} INDEXED BY {index}"
    return f"{table} {where} {order} LIMIT ?", where.values
