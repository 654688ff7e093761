"""What a list was asked for, from the protocol's spelling to a query for the store.

Every complaint names the parameter as it stands in the URL.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from runcycles import wire
from runcycles.errors import CyclesProtocolError, ErrorCode
from runcycles.ops import Balances, ListReservations, Refused
from runcycles.scopes import LEVELS
from runcycles.types import ReservationStatus
from runcycles_server.cursors import Cursor, decoded
from runcycles_server.stores.queries import SORTS, ReservationQuery, Window

Listing = Balances | ListReservations

DEFAULT_SORT: Final = "created_at_ms"
DIRECTIONS: Final = ("asc", "desc")
# RFC 3339, so that a moment never depends on what else some parser would take for one.
INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


def refused(op: Listing, field: str, reason: str) -> CyclesProtocolError:
    """A 400 that names the parameter."""
    problem = Refused(
        code=ErrorCode.INVALID_REQUEST, message=f"{field}: {reason}", details={"field": field}
    )
    return wire.error_for(op, wire.problem_of(problem))


def segments_of(op: Listing) -> dict[str, str]:
    """The levels below the tenant that the scope must hold; budgets are kept in lower case."""
    given = ((level, getattr(op, level)) for level in LEVELS[1:])
    return {level: value.lower() for level, value in given if value}


def cursor_of(op: Listing) -> Cursor | None:
    """Where the list goes on, if it does not start.

    Raises:
        InvalidRequestError: where the cursor is not one that we made.
    """
    if op.cursor is None:
        return None
    found = decoded(op.cursor)
    if found is None:
        raise refused(op, "cursor", "this is not a cursor of ours")
    return found


def query_of(op: ListReservations, tenant: str, cursor: Cursor | None) -> ReservationQuery:
    """The query without its page; a request that names no order goes on in the cursor's.

    Raises:
        InvalidRequestError: naming the parameter.
    """
    if cursor is not None and op.sort_by is None and op.sort_dir is None:
        sort_by, descending = _one_of(op, "cursor", cursor.sort_by, SORTS), cursor.descending
    else:
        sort_by = _one_of(op, "sort_by", _default(op.sort_by, DEFAULT_SORT).lower(), SORTS)
        direction = _one_of(op, "sort_dir", _default(op.sort_dir, "desc").lower(), DIRECTIONS)
        descending = direction == "desc"
    status = op.status
    if status is not None:
        status = ReservationStatus(_one_of(op, "status", status, tuple(ReservationStatus)))
    return ReservationQuery(
        tenant=tenant,
        idempotency_key=op.idempotency_key,
        status=status,
        segments=segments_of(op),
        created=_window(op, ("from", op.created_from), ("to", op.created_to)),
        expires=_window(op, ("expires_from", op.expires_from), ("expires_to", op.expires_to)),
        finalized=_window(
            op, ("finalized_from", op.finalized_from), ("finalized_to", op.finalized_to)
        ),
        sort_by=sort_by,
        descending=descending,
    )


def _default(given: str | None, default: str) -> str:
    return default if given is None else given


def _one_of(op: Listing, field: str, value: str, allowed: Iterable[str]) -> str:
    known = tuple(allowed)
    if value not in known:
        raise refused(op, field, f"{value!r} is not one of {', '.join(known)}")
    return value


Bound = tuple[str, str | None]
"""The name of a parameter and what was given for it."""


def _window(op: Listing, lowest: Bound, highest: Bound) -> Window:
    first, last = _moment(op, *lowest, round_up=True), _moment(op, *highest, round_up=False)
    if first is not None and last is not None and first > last:
        raise refused(op, lowest[0], f"must not be later than {highest[0]}")
    return Window(lowest=first, highest=last)


def _moment(op: Listing, field: str, text: str | None, *, round_up: bool) -> int | None:
    """Epoch ms, rounded into the window; a blank bound is open."""
    if text is None or not text.strip():
        return None
    found = moment_ms(text, round_up=round_up)
    if found is None:
        raise refused(
            op, field, f"{text!r} is not a moment with a zone, such as 2030-01-31T12:00:00Z"
        )
    return found


def moment_ms(text: str, *, round_up: bool) -> int | None:
    """A moment with a zone as epoch ms; None where the text is no such moment."""
    if not INSTANT.fullmatch(text):
        return None
    try:
        since = datetime.fromisoformat(text) - EPOCH
    except ValueError:  # the right shape, but no such day or hour
        return None
    return -(-since // MILLISECOND) if round_up else since // MILLISECOND
