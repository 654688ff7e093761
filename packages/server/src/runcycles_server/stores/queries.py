"""Which records a list holds, said once: every store answers these questions alike.

The predicates are the meaning; a store with a query language says the same in that language, and
the suite compares.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runcycles.ledger.policies import Counter
from runcycles.ledger.state import Reservation
from runcycles.scopes import passes_filter, segments
from runcycles.types import QuotaWindow, ReservationStatus, Unit
from runcycles_server.records import AuditEntry, DecisionRecord

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
    """An inclusive range of moments in epoch ms, or of other numbers; None is open."""

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
    hold. `scope_filter` is that of a key (`("agent:bot", "app:*")`); the path, below its tenant's
    own segment, must hold one of them. `idempotency_key` is the key of the reserve, for as long as
    its reply is remembered.
    `sort_by` is one of `SORTS`; ties are broken by id, ascending in either direction. `after` is
    the (sort value, id) of the last row of the previous page.
    """

    tenant: str
    idempotency_key: str | None = None
    status: ReservationStatus | None = None
    segments: Mapping[str, str] = field(default_factory=dict)
    scope_filter: tuple[str, ...] = ()
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
            and self.lets_in(row.scope_path)
            and self.created.holds(row.created_at_ms)
            and self.expires.holds(row.expires_at_ms)
            and self.finalized.holds(row.finalized_at_ms)
        )

    def lets_in(self, scope_path: str) -> bool:
        """Whether a scope of the tenant holds the segments, and passes the filter of the key."""
        return holds_segments(scope_path, self.segments) and passes_filter(
            f"tenant:{self.tenant}/{scope_path}", self.scope_filter
        )

    def follows(self, row: Reservation) -> bool:
        """Whether a reservation comes after the last row of the previous page."""
        own = SORTS[self.sort_by](row), row.reservation_id
        return comes_after(own, self.after, descending=self.descending)


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterQuery:
    """Which live counters of a tenant, by scope, then by what is counted, window and bucket.

    `scope` is that one and all below it. `prefix` and `except_prefix` are beginnings of what is
    counted, and so choose all risk classes, or leave out the rate limits. A counter is live until
    its `expires_at_ms`. `after` is the `place` of the last counter of the previous page.
    """

    tenant: str
    scope: str | None = None
    counted: str | None = None
    prefix: str | None = None
    except_prefix: str | None = None
    window: QuotaWindow | None = None
    bucket: str | None = None
    include_zero: bool = False
    after: tuple[str, ...] | None = None
    limit: int = 50

    def matches(self, counter: Counter, now_ms: int) -> bool:
        """Whether a counter passes every filter at this moment."""
        return (
            counter.tenant == self.tenant
            and counter.expires_at_ms > now_ms
            and (self.include_zero or counter.used > 0)
            and (self.scope is None or f"{counter.scope}/".startswith(f"{self.scope}/"))
            and self.counted in (None, counter.counted)
            and counter.counted.startswith(self.prefix or "")
            and not (self.except_prefix and counter.counted.startswith(self.except_prefix))
            and self.window in (None, counter.window)
            and self.bucket in (None, counter.bucket)
        )


def place(counter: Counter) -> tuple[str, ...]:
    """Where a counter stands among those of its tenant."""
    return counter.key[2:]


AUDIT_SORTS: Final[dict[str, Callable[[AuditEntry], SortValue]]] = {
    "timestamp": lambda entry: entry.at_ms,
    "operation": lambda entry: entry.operation,
    "resource_type": lambda entry: entry.resource_type or "",
    "tenant_id": lambda entry: entry.tenant_id,
    "key_id": lambda entry: entry.key_id or "",
    "status": lambda entry: entry.status,
}
"""The protocol's sort columns; what an entry does not say sorts as an empty word."""
NUMERIC_AUDIT_SORTS: Final = frozenset({"timestamp", "status"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which audit entries, in which order, after which one.

    An empty tuple asks for nothing. An entry without an error is none of `error_codes`, and passes
    `except_error_codes`. `search` is a part of what the entry is about, of its error, operation or
    id, where capital and small letters of ASCII are alike. `sort_by` is one of `AUDIT_SORTS`; ties
    are broken by id, ascending in either direction. `after` is the (sort value, id) of the last
    entry of the previous page.
    """

    tenant_id: str | None = None
    key_id: str | None = None
    resource_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    operations: tuple[str, ...] = ()
    resource_types: tuple[str, ...] = ()
    error_codes: tuple[str, ...] = ()
    except_error_codes: tuple[str, ...] = ()
    status: Window = field(default_factory=Window)
    at: Window = field(default_factory=Window)
    search: str | None = None
    sort_by: str = "timestamp"
    descending: bool = True
    after: tuple[SortValue, str] | None = None
    limit: int = 50

    def matches(self, entry: AuditEntry) -> bool:
        """Whether an entry passes every filter."""
        return (
            self.tenant_id in (None, entry.tenant_id)
            and self.key_id in (None, entry.key_id)
            and self.resource_id in (None, entry.resource_id)
            and self.request_id in (None, entry.request_id)
            and self.trace_id in (None, entry.trace_id)
            and (not self.operations or entry.operation in self.operations)
            and (not self.resource_types or entry.resource_type in self.resource_types)
            and (not self.error_codes or entry.error_code in self.error_codes)
            and entry.error_code not in self.except_error_codes
            and self.status.holds(entry.status)
            and self.at.holds(entry.at_ms)
            and self._is_found_in(entry)
        )

    def follows(self, entry: AuditEntry) -> bool:
        """Whether an entry comes after the last one of the previous page."""
        own = AUDIT_SORTS[self.sort_by](entry), entry.log_id
        return comes_after(own, self.after, descending=self.descending)

    def _is_found_in(self, entry: AuditEntry) -> bool:
        if self.search is None:
            return True
        searched = (entry.resource_id, entry.log_id, entry.error_code, entry.operation)
        return any(_small(self.search) in _small(text or "") for text in searched)


def concerns(record: DecisionRecord, wanted: str) -> bool:
    """Whether an id is that of a decision, its reservation, a request, its trace or its key."""
    ids = (record.decision_id, record.reservation_id, record.trace_id, record.idempotency_key)
    return wanted in ids or wanted in record.request_ids.split("\n")


def comes_after(
    own: tuple[SortValue, str], last: tuple[SortValue, str] | None, *, descending: bool
) -> bool:
    """Whether a (sort value, id) comes after that of the last row of the previous page, if any."""
    if last is None:
        return True
    value: Any = own[0]
    if value == last[0]:
        return own[1] > last[1]
    return bool(value < last[0] if descending else value > last[0])


def _small(text: str) -> bytes:
    return text.encode().lower()  # of bytes, Python makes ASCII small, as SQLite does of words


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


def held_by_unit(rows: Iterable[tuple[str, str, Unit, int]]) -> dict[Unit, int]:
    """The sum per unit of what accounts hold, given as (tenant, scope, unit, reserved).

    A hold stands in every budget along its lineage, so only the outermost one counts.
    """
    holding = {row[:3]: row[3] for row in rows if row[3]}
    found: dict[Unit, int] = defaultdict(int)
    for (tenant, scope, unit), reserved in holding.items():
        if not any((tenant, outer, unit) in holding for outer in _outside(scope)):
            found[unit] += reserved
    return dict(found)


def _outside(scope: str) -> Iterator[str]:
    """The scopes that a scope lies in."""
    while "/" in scope:
        scope = scope.rpartition("/")[0]
        yield scope
