"""The questions that change nothing: balances, one reservation, lists of them.

`tenant` is the caller's; None is an operator, who must name one where a list belongs to a tenant.
`scope_filter` is that of the caller's key: what lies outside is left out of a list, and refused
where it is asked for by its id.
"""

from collections.abc import Set
from dataclasses import replace
from typing import Any, Final, assert_never

from runcycles import wire
from runcycles.errors import CyclesProtocolError
from runcycles.ledger.refusals import (
    expired,
    foreign_reservation,
    foreign_tenant,
    outside_filter,
    unknown_reservation,
)
from runcycles.ledger.rules import balance
from runcycles.ledger.state import Reservation, reservation_key
from runcycles.ops import (
    BalancePage,
    Balances,
    GetReservation,
    ListReservations,
    Op,
    Refused,
    ReservationPage,
    ReservationView,
)
from runcycles.scopes import LEVELS, effective_lineage, passes_filter
from runcycles.types import Amount, ReservationStatus
from runcycles_server.cursors import Cursor, fingerprint
from runcycles_server.filters import Listing, cursor_of, query_of, refused, segments_of
from runcycles_server.stores.base import Store
from runcycles_server.stores.queries import NUMERIC_SORTS, SORTS

Read = Balances | GetReservation | ListReservations

EVERYTHING: Final = frozenset({"metadata", "committed_metadata"})
"""The optional members of a reservation; one that is read by its id has them all."""


async def read(
    store: Store, op: Read, tenant: str | None, scope_filter: tuple[str, ...] = ()
) -> Any:
    """The typed answer to a question that changes nothing.

    Raises:
        CyclesProtocolError: naming the parameter, or why this caller may not see it.
    """
    match op:
        case GetReservation():
            return await _one(store, op, tenant, scope_filter)
        case Balances():
            return await _balances(store, op, tenant, scope_filter)
        case ListReservations():
            return await _list(store, op, tenant, scope_filter)
        case _:
            assert_never(op)


async def _one(
    store: Store, op: GetReservation, tenant: str | None, scope_filter: tuple[str, ...]
) -> ReservationView:
    found: Reservation | None = await store.get(reservation_key(op.reservation_id))
    if found is None:
        raise _error(op, unknown_reservation(op.reservation_id))
    if tenant not in (None, found.tenant):
        raise _error(op, foreign_reservation(op.reservation_id))
    scope_path = effective_lineage(found.subject, found.tenant)[-1]
    if not passes_filter(scope_path, scope_filter):
        raise _error(op, outside_filter(scope_path, scope_filter))
    if found.status is ReservationStatus.EXPIRED:
        raise _error(op, expired(found))
    return view(found, EVERYTHING)


async def _balances(
    store: Store, op: Balances, tenant: str | None, scope_filter: tuple[str, ...]
) -> BalancePage:
    if not any(getattr(op, level) for level in LEVELS):
        raise refused(op, "subject", f"give at least one of {', '.join(LEVELS)}")
    owner = _owner(op, tenant)
    wanted = segments_of(op)
    bound = fingerprint("balances", owner, wanted)
    rows = [
        row for row in await store.accounts(owner, wanted) if passes_filter(row.scope, scope_filter)
    ]
    if (cursor := cursor_of(op)) is not None:
        if cursor.bound != bound:
            raise _other_list(op)
        rows = [row for row in rows if (row.scope, row.unit) > cursor.after]
    page = rows[: op.limit]
    following = None
    if len(rows) > op.limit:
        after = (page[-1].scope, page[-1].unit)
        following = Cursor(bound=bound, sort_by="scope", descending=False, after=after).encoded()
    return BalancePage(
        balances=tuple(balance(row) for row in page),
        next_cursor=following,
        has_more=following is not None,
    )


async def _list(
    store: Store, op: ListReservations, tenant: str | None, scope_filter: tuple[str, ...]
) -> ReservationPage:
    cursor = cursor_of(op)
    query = replace(query_of(op, _owner(op, tenant), cursor), scope_filter=scope_filter)
    bound = fingerprint(query)
    if cursor is not None:
        is_numeric = isinstance(cursor.after[0], int)
        if cursor.bound != bound or is_numeric != (query.sort_by in NUMERIC_SORTS):
            raise _other_list(op)
        query = replace(query, after=cursor.after)
    rows = await store.reservations(replace(query, limit=op.limit + 1))
    page = rows[: op.limit]
    following = None
    if len(rows) > op.limit:
        last = page[-1]
        following = Cursor(
            bound=bound,
            sort_by=query.sort_by,
            descending=query.descending,
            after=(SORTS[query.sort_by](last), last.reservation_id),
        ).encoded()
    included = {token.strip() for token in (op.include or "").split(",")}
    return ReservationPage(
        reservations=tuple(view(row, included) for row in page),
        next_cursor=following,
        has_more=following is not None,
    )


def view(row: Reservation, included: Set[str]) -> ReservationView:
    """A reservation as its owner reads it, with the optional members that were asked for."""
    charged = row.charged
    return ReservationView(
        reservation_id=row.reservation_id,
        status=row.status,
        subject=row.subject,
        action=row.action,
        reserved=row.estimate,
        created_at_ms=row.created_at_ms,
        expires_at_ms=row.expires_at_ms,
        scope_path=row.scope_path,
        affected_scopes=row.affected_scopes,
        idempotency_key=row.idempotency_key,
        finalized_at_ms=row.finalized_at_ms,
        committed=None if charged is None else Amount(unit=row.estimate.unit, amount=charged),
        metadata=row.metadata if "metadata" in included else None,
        committed_metadata=row.committed_metadata if "committed_metadata" in included else None,
    )


def _owner(op: Listing, tenant: str | None) -> str:
    """Whose rows are listed."""
    if tenant is None:
        if not op.tenant:
            raise refused(op, "tenant", "an operator has to say whose rows these are")
        return op.tenant
    if op.tenant is not None and op.tenant != tenant:
        raise _error(op, foreign_tenant(op.tenant, tenant))
    return tenant


def _other_list(op: Listing) -> CyclesProtocolError:
    return refused(op, "cursor", "it belongs to a list with other filters or another order")


def _error(op: Op[Any], refusal: Refused) -> CyclesProtocolError:
    return wire.error_for(op, wire.problem_of(refusal))
