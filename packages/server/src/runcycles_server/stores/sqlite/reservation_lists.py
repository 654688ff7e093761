"""Which queries make a page of reservations: each walks one index, and stops when the page is full.

The index is named in the query, since SQLite, which knows no more than the names of the columns,
would rather sort a million rows that match than walk past a few that do not. Where a filter leaves
few rows it is the other way round: the index that finds those is walked, and they are sorted.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from runcycles.types import ReservationStatus
from runcycles_server.stores.queries import ReservationQuery
from runcycles_server.stores.sqlite.codecs import RESERVATIONS
from runcycles_server.stores.sqlite.schema import sql_file
from runcycles_server.stores.sqlite.where import Order, Where

Statement = tuple[str, list[Any]]
Narrowing = tuple[str, Where]
"""An index, and what it finds."""

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
ENDED: Final = "iif(finalized_at_ms >= 0, finalized_at_ms, expires_at_ms + grace_ms)"
"""When a reservation ended, as `reservations_ended` has it."""
SCOPES_IN_USE: Final = sql_file("scopes_in_use.sql")
MAX_SCOPES: Final = 5_000
"""Scopes of a tenant that are looked through for those that a filter lets in, some 10 ms."""
FEW: Final = 20_000
"""So many rows are looked up and sorted in some 20 ms; of more, some come soon in any order."""


def statements(query: ReservationQuery) -> Iterator[Statement]:
    """Queries whose rows, one after the other, are the list; each needs a limit at its end.

    So many rows share a status that one query for all could only sort them; there is one for each.
    """
    if query.sort_by != "status":
        # what runs now is little, whatever the order
        is_active = query.status is ReservationStatus.ACTIVE
        yield _statement(query, filters(query), INDEXES["status" if is_active else query.sort_by])
        return
    for status in reversed(STATUSES) if query.descending else STATUSES:
        if query.status in (None, status):
            where = filters(query)
            where.add("status = ?", status)
            yield _statement(query, where, INDEXES["status"])


def narrowings(query: ReservationQuery, scopes: Sequence[str] | None) -> Iterator[Narrowing]:
    """The parts of the filters that may leave few rows; `scopes` are those that they let in."""
    for column, window in (("created_at_ms", query.created), ("expires_at_ms", query.expires)):
        if not window.is_open and query.sort_by != column:
            where = Where()
            where.equals("tenant", query.tenant)
            where.lies_in(column, window)
            yield INDEXES[column], where
    if not query.finalized.is_open:
        where = Where()
        where.add("status <> 'ACTIVE'")
        where.lies_in(ENDED, query.finalized)
        yield "reservations_ended", where
    if scopes is not None:
        where = Where()
        where.equals("tenant", query.tenant)
        where.add("scope_path IN (SELECT value FROM json_each(?))", json.dumps(scopes))
        yield INDEXES["scope_path"], where


def counting(narrowing: Narrowing) -> Statement:
    """The query for how many rows a narrowing leaves, counted no further than `FEW` and one."""
    index, where = narrowing
    rows = f"SELECT 1 FROM reservations INDEXED BY {index} {where} LIMIT {FEW + 1}"  # noqa: S608 - ours
    return f"SELECT count(*) FROM ({rows})", where.values  # noqa: S608 - all names are ours


def narrowed(query: ReservationQuery, narrowing: Narrowing) -> Statement:
    """The query for the list where a narrowing leaves few rows."""
    index, found = narrowing
    where = filters(query)
    where.also(found)
    return _statement(query, where, index)


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
    table = RESERVATIONS.select if index is None else f"{RESERVATIONS.select} INDEXED BY {index}"
    return f"{table} {where} {order} LIMIT ?", where.values
