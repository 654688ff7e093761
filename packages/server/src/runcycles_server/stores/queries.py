"""Which reservations a list holds, said once: every store answers these questions alike.

The predicates are the meaning; a store with a query language says the same in that language, and
the suite compares.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runcycles.ledger.state import Reservation
from runcycles.scopes import segments
from runcycles.types import ReservationStatus

SortValue = str | int

SORTS: Final[dict[str, Callable[[Reservation], SortValue]]] = {
    "reservation_id": lambda row: row.reservation_id,
    "tenant": lambda row: row.tenant,
    "scope_path": lambda row: row.scope_path,
    "status": lambda row: row.status,
    "reserved": lambda row: row.estimate.amount,
    "created_at_ms": lambda row: row.created_at_ms,
    "expires_at_ms": lambda row: row.expires_at_ms,
}
"""The protocol's sort columns."""
NUMERIC_SORTS: Final = frozenset({"reserved", "created_at_ms", "expires_at_ms"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """An inclusive range of epoch ms; None is open."""

    lowest: int | None = None
    highest: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether every moment lies inside, even a missing one."""
        return self.lowest is None and self.highest is None

    def holds(self, moment_ms: int | None) -> bool:
        """Whether a moment lies inside; a missing moment lies only in the wholly open window."""
        if self.is_open:
            return True
        if moment_ms is None or (self.lowest is not None and moment_ms < self.lowest):
            return False
        return self.highest is None or moment_ms <= self.highest


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationQuery:
    """Which reservations, in which order, after which one.

    `segments` are whole scope segments in lower case (`{"agent": "bot"}`) that the scope path must
    hold. `idempotency_key` is the key of the reserve, for as long as its reply is remembered.
    `sort_by` is one of `SORTS`; ties are broken by id, ascending in either direction. `after` is
    the (sort value, id) of the last row of the previous page.
    """

    tenant: str
    idempotency_key: str | None = None
    status: ReservationStatus | None = None
    segments: Mapping[str, str] = field(default_factory=dict)
    created: Window = field(default_factory=Window)
    expires: Window = field(default_factory=Window)
    finalized: Window = field(default_factory=Window)
    sort_by: str = "created_at_ms"
    descending: bool = True
    after: tuple[SortValue, str] | None = None
    limit: int = 50

    def matches(self, row: Reservation) -> bool:
        """Whether a reservation passes every filter but that of the idempotency key."""
        return (
            row.tenant == self.tenant
            and self.status in (None, row.status)
            and holds_segments(row.scope_path, self.segments)
            and self.created.holds(row.created_at_ms)
            and self.expires.holds(row.expires_at_ms)
            and self.finalized.holds(row.finalized_at_ms)
        )

    def follows(self, row: Reservation) -> bool:
        """Whether a reservation comes after the last row of the previous page."""
        if self.after is None:
            return True
        value, last_id = self.after
        own: Any = SORTS[self.sort_by](row)
        if own == value:
            return row.reservation_id > last_id
        return bool(own < value if self.descending else own > value)


def holds_segments(scope_path: str, wanted: Mapping[str, str]) -> bool:
    """Whether a scope path holds every wanted segment, whole: `acme` is not in `acme-corp`."""
    if not wanted:
        return True
    found = segments(scope_path)
    return all(found.get(level) == value for level, value in wanted.items())


def ended_at_ms(row: Reservation) -> int | None:
    """When a reservation stopped holding budget; None while it is ACTIVE."""
    if row.status is ReservationStatus.ACTIVE:
        return None
    return row.settles_until_ms if row.finalized_at_ms is None else row.finalized_at_ms
