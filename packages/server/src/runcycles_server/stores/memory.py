"""The memory store: core's dict store behind the contract of `base`.

For tests, trials and the embedded authority. It never suspends, so a caller without an event loop
can step it, and it forgets everything when the process ends.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from runcycles.errors import StoreError
from runcycles.ledger.memory import DictStore
from runcycles.ledger.policies import Counter, DeclaredKind, PolicyBook
from runcycles.ledger.state import (
    Account,
    Key,
    Record,
    Remembered,
    Reservation,
    Tenant,
    Transition,
    reply_key,
)
from runcycles.types import Unit
from runcycles_server.records import UNAUTHENTICATED, ApiKey, AuditEntry, DecisionRecord
from runcycles_server.stores import retention
from runcycles_server.stores.queries import (
    AUDIT_SORTS,
    SORTS,
    AuditQuery,
    CounterQuery,
    ReservationQuery,
    concerns,
    ended_at_ms,
    held_by_unit,
    holds_segments,
    place,
)

T = TypeVar("T")


class _Records(DictStore):
    """Records in a dict; an audit entry that is there already stays as it is."""

    def keep(self, record: Record) -> None:
        if not (isinstance(record, AuditEntry) and record.key in self.records):
            super().keep(record)


class MemoryStore:
    """Keeps records in a dict."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._dict: DictStore = _Records(clock_ms)
        self._is_open = False

    async def start(self) -> None:
        """Take questions from now on."""
        self._is_open = True

    async def close(self) -> None:
        """Take no more."""
        self._is_open = False

    async def check(self) -> None:
        """Raise `StoreError` unless it is open."""
        if not self._is_open:
            raise StoreError("the memory store is not open")

    def now_ms(self) -> int:
        """This moment, in epoch ms."""
        return self._dict.now_ms()

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        """Run the transition on the records of its footprint and keep its outcome."""
        await self.check()
        return self._dict.transact(footprint, transition)

    async def get(self, key: Key) -> Any:
        """The record under a key, or None."""
        return self._dict.records.get(key)

    async def accounts(
        self, tenant: str | None, segments: Mapping[str, str] | None = None
    ) -> list[Account]:
        """The accounts of a tenant (None: of all) whose scope holds all segments, by scope."""
        found = (
            account
            for account in self._dict.of_kind(Account)
            if tenant in (None, account.tenant) and holds_segments(account.scope, segments or {})
        )
        return sorted(found, key=lambda account: (account.scope, account.unit, account.tenant))

    async def tenants(self) -> list[Tenant]:
        """Every tenant, by id."""
        return sorted(self._dict.of_kind(Tenant), key=lambda tenant: tenant.tenant_id)

    async def api_keys(self, tenant: str | None) -> list[ApiKey]:
        """The API keys of a tenant (None: of all), by id."""
        found = (key for key in self._dict.of_kind(ApiKey) if tenant in (None, key.tenant_id))
        return sorted(found, key=lambda key: key.key_id)

    async def policy_books(self, tenant: str | None) -> list[PolicyBook]:
        """The policies of a tenant, if it has any (None: of all), by tenant."""
        found = (book for book in self._dict.of_kind(PolicyBook) if tenant in (None, book.tenant))
        return sorted(found, key=lambda book: book.tenant)

    async def declared_kinds(self) -> list[DeclaredKind]:
        """Every kind of action that the operator declared, by its name."""
        return sorted(self._dict.of_kind(DeclaredKind), key=lambda declared: declared.kind)

    async def counters(self, query: CounterQuery) -> list[Counter]:
        """At most `limit` counters that match and are live now, by their place."""
        now_ms = self.now_ms()
        found = (row for row in self._dict.of_kind(Counter) if query.matches(row, now_ms))
        after = query.after or ()
        return sorted((row for row in found if place(row) > after), key=place)[: query.limit]

    async def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """At most `limit` audit entries that match, in the order asked for."""
        found = [entry for entry in self._dict.of_kind(AuditEntry) if query.matches(entry)]
        found.sort(key=lambda entry: entry.log_id)
        found.sort(key=AUDIT_SORTS[query.sort_by], reverse=query.descending)
        return [entry for entry in found if query.follows(entry)][: query.limit]

    async def decisions(
        self, wanted: str, *, tenant: str | None = None, limit: int = 20
    ) -> list[DecisionRecord]:
        """At most `limit` decisions that an id concerns, of one tenant or of all, newest first."""
        found = [
            record
            for record in self._dict.of_kind(DecisionRecord)
            if tenant in (None, record.tenant) and concerns(record, wanted)
        ]
        return found[: -limit - 1 : -1]

    async def reservations(self, query: ReservationQuery) -> list[Reservation]:
        """At most `limit` reservations that match, in the order asked for."""
        found = sorted(self._matching(query), key=lambda row: row.reservation_id)
        found.sort(key=SORTS[query.sort_by], reverse=query.descending)
        return [row for row in found if query.follows(row)][: query.limit]

    async def due(self, limit: int) -> list[str]:
        """Ids of ACTIVE reservations whose grace is over, the longest overdue first."""
        return self._dict.due(limit)

    async def held(self) -> dict[Unit, int]:
        """What the outermost budgets that hold anything hold, by unit; no hold counts twice."""
        return held_by_unit(
            (account.tenant, account.scope, account.unit, account.reserved)
            for account in self._dict.of_kind(Account)
        )

    def waiting(self) -> dict[str, int]:
        """Nobody waits for memory."""
        return {}

    async def purge(self, limit: int) -> int:
        """Forget up to `limit` records whose retention is over; how many were forgotten."""
        over = list(self._over())[:limit]
        for key in over:
            del self._dict.records[key]
        return len(over)

    def _over(self) -> Iterator[Key]:
        """The keys of the records whose retention is over."""
        now_ms = self.now_ms()
        for reply in self._dict.of_kind(Remembered):
            if reply.expires_at_ms <= now_ms:
                yield reply.key
        for row in self._dict.of_kind(Reservation):
            ended = ended_at_ms(row)
            if ended is not None and ended + retention.RESERVATIONS_MS <= now_ms:
                yield row.key
        for counter in self._dict.of_kind(Counter):
            if counter.expires_at_ms <= now_ms:
                yield counter.key
        for entry in self._dict.of_kind(AuditEntry):
            is_anonymous = entry.tenant_id == UNAUTHENTICATED
            kept_ms = retention.UNAUTHENTICATED_AUDIT_MS if is_anonymous else retention.AUDIT_MS
            if entry.at_ms + kept_ms <= now_ms:
                yield entry.key
        decisions = list(self._dict.of_kind(DecisionRecord))
        surplus = len(decisions) - retention.MOST_DECISIONS
        for number, record in enumerate(decisions):
            if number < surplus or record.at_ms + retention.DECISIONS_MS <= now_ms:
                yield record.key

    def _matching(self, query: ReservationQuery) -> Iterator[Reservation]:
        if query.idempotency_key is None:
            return (row for row in self._dict.of_kind(Reservation) if query.matches(row))
        reply = self._dict.records.get(reply_key(query.tenant, "reserve", query.idempotency_key))
        found = (
            None if reply is None else self._dict.records.get(("reservation", reply.reservation_id))
        )
        return iter([found] if found is not None and query.matches(found) else [])
