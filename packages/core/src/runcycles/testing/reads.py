"""What the in-memory authority answers to questions that only read.

Filters as the protocol has them, over everything in the dict; a cursor is the number of rows read.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from runcycles.errors import ErrorCode
from runcycles.ledger.memory import DictStore
from runcycles.ledger.refusals import (
    expired,
    foreign_reservation,
    foreign_tenant,
    unknown_reservation,
)
from runcycles.ledger.rules import balance
from runcycles.ledger.state import Account, Reservation, reservation_key
from runcycles.ops import (
    BalancePage,
    Balances,
    GetReservation,
    ListReservations,
    Refused,
    ReservationPage,
    ReservationView,
)
from runcycles.scopes import LEVELS, segments
from runcycles.types import Amount, ReservationStatus

Read = Balances | GetReservation | ListReservations
T = TypeVar("T")

_SORTS: Final[dict[str, Callable[[Reservation], Any]]] = {
    "reservation_id": lambda row: row.reservation_id,
    "tenant": lambda row: row.tenant,
    "scope_path": lambda row: row.scope_path,
    "status": lambda row: row.status,
    "reserved": lambda row: row.estimate.amount,
    "created_at_ms": lambda row: row.created_at_ms,
    "expires_at_ms": lambda row: row.expires_at_ms,
}


def read(store: DictStore, op: Read, tenant: str) -> Any:
    """The answer to a reading op, or why there is none."""
    if isinstance(op, GetReservation):
        return _one(store.records.get(reservation_key(op.reservation_id)), op, tenant)
    if op.tenant is not None and op.tenant != tenant:
        return foreign_tenant(op.tenant, tenant)
    try:
        return (
            _balances(store, op, tenant) if isinstance(op, Balances) else _list(store, op, tenant)
        )
    except ValueError as problem:
        return Refused(code=ErrorCode.INVALID_REQUEST, message=str(problem))


def _one(found: Reservation | None, op: GetReservation, tenant: str) -> ReservationView | Refused:
    if found is None:
        return unknown_reservation(op.reservation_id)
    if found.tenant != tenant:
        return foreign_reservation(op.reservation_id)
    if found.status is ReservationStatus.EXPIRED:
        return expired(found)
    return _view(found, {"metadata", "committed_metadata"})


def _balances(store: DictStore, op: Balances, tenant: str) -> BalancePage:
    if not any(getattr(op, level) for level in LEVELS):
        raise ValueError(f"give at least one of {', '.join(LEVELS)}")
    rows = [
        account
        for account in store.of_kind(Account)
        if account.tenant == tenant and _lies_in(account.scope, op)
    ]
    rows.sort(key=lambda account: (account.scope, account.unit))
    page, cursor = _page(rows, op)
    return BalancePage(
        balances=tuple(balance(account) for account in page),
        next_cursor=cursor,
        has_more=cursor is not None,
    )


def _list(store: DictStore, op: ListReservations, tenant: str) -> ReservationPage:
    rows = sorted(
        (row for row in store.of_kind(Reservation) if row.tenant == tenant and _matches(row, op)),
        key=lambda row: row.reservation_id,
    )
    rows.sort(
        key=_SORTS[_one_of(_given(op.sort_by, "created_at_ms"), _SORTS, "sort_by")],
        reverse=_one_of(_given(op.sort_dir, "desc"), ("asc", "desc"), "sort_dir") == "desc",
    )
    page, cursor = _page(rows, op)
    included = {token.strip() for token in (op.include or "").split(",")}
    return ReservationPage(
        reservations=tuple(_view(row, included) for row in page),
        next_cursor=cursor,
        has_more=cursor is not None,
    )


def _matches(row: Reservation, op: ListReservations) -> bool:
    status = _one_of(op.status, ReservationStatus, "status") if op.status is not None else None
    return (
        (op.idempotency_key is None or row.idempotency_key == op.idempotency_key)
        and (status is None or row.status == status)
        and _lies_in(row.scope_path, op)
        and _within(row.created_at_ms, op.created_from, op.created_to)
        and _within(row.expires_at_ms, op.expires_from, op.expires_to)
        and _within(row.finalized_at_ms, op.finalized_from, op.finalized_to)
    )


def _lies_in(scope_path: str, op: Balances | ListReservations) -> bool:
    """Whether a scope holds every segment below the tenant that is asked for."""
    found = segments(scope_path)
    asked = ((level, getattr(op, level)) for level in LEVELS[1:])
    return all(value is None or found.get(level) == value.lower() for level, value in asked)


def _within(moment_ms: int | None, lowest: str | None, highest: str | None) -> bool:
    if lowest is None and highest is None:
        return True
    return (
        moment_ms is not None
        and (lowest is None or _epoch_ms(lowest) <= moment_ms)
        and (highest is None or moment_ms <= _epoch_ms(highest))
    )


def _epoch_ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} does not say its time zone; add e.g. Z")
    return round(moment.timestamp() * 1_000)


def _given(value: str | None, default: str) -> str:
    return default if value is None else value.lower()


def _one_of(value: str, allowed: Iterable[str], name: str) -> str:
    known = list(allowed)
    if value not in known:
        raise ValueError(f"{name}: {value!r} is none of {', '.join(known)}")
    return value


def _page(rows: Sequence[T], op: Balances | ListReservations) -> tuple[Sequence[T], str | None]:
    if op.cursor is not None and not op.cursor.isdecimal():
        raise ValueError("cursor: it is not one of ours")
    start = int(op.cursor or 0)
    end = start + op.limit
    return rows[start:end], str(end) if end < len(rows) else None


def _view(row: Reservation, included: set[str]) -> ReservationView:
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
