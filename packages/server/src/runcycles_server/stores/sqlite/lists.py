"""What only reads: lists of records, on a connection and in a thread of their own.

A long list then holds up neither a decision nor the event loop; it sees what was committed when it
began.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from runcycles.ledger.policies import Counter, DeclaredKind, PolicyBook
from runcycles.ledger.state import Account, Key, Reservation, Tenant
from runcycles.types import ReservationStatus, Unit
from runcycles_server.records import ApiKey, AuditEntry, DecisionRecord
from runcycles_server.stores.queries import (
    AuditQuery,
    CounterQuery,
    ReservationQuery,
    held_by_unit,
)
from runcycles_server.stores.sqlite.codecs import (
    ACCOUNTS,
    API_KEYS,
    AUDIT,
    BY_KIND,
    COUNTERS,
    DECISIONS,
    KINDS,
    POLICIES,
    REPLIES,
    RESERVATIONS,
    TENANTS,
    Codec,
)
from runcycles_server.stores.sqlite.failures import translated
from runcycles_server.stores.sqlite.reservation_lists import (
    FEW,
    MAX_SCOPES,
    SCOPES_IN_USE,
    Statement,
    counting,
    narrowed,
    narrowings,
    one,
    statements,
)
from runcycles_server.stores.sqlite.rows import Row
from runcycles_server.stores.sqlite.schema import sql_file
from runcycles_server.stores.sqlite.where import Order, Where

R = TypeVar("R")

OVERDUE: Final = sql_file("overdue_reservations.sql")
AUDIT_ORDER: Final = {
    "timestamp": "at_ms",
    "resource_type": "coalesce(resource_type, '')",
    "key_id": "coalesce(key_id, '')",
}
"""What the audit log is sorted by, where that is not the column of the same name."""
CONCERNS: Final = (
    "(? IN (reservation_id, trace_id, idempotency_key) OR instr(request_ids, ?) AND "
    "instr(char(10) || request_ids || char(10), char(10) || ? || char(10)))"
)
"""The first look at the requests is the cheap one: this is asked of a million rows."""
AUDIT_SEARCHED: Final = ("resource_id", "log_id", "error_code", "operation")


class Lists:
    """The reading side of one database."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def get(self, key: Key) -> Any:
        """The record under a key, or None."""
        codec: Codec[Any] = BY_KIND[key[0]]
        found = self._records(codec, codec.lookup(1), list(key[1:]))
        return found[0] if found else None

    def held(self) -> dict[Unit, int]:
        """What the outermost budgets that hold anything hold, by unit."""
        asked = "SELECT tenant, scope, unit, reserved FROM accounts WHERE reserved > 0"
        rows: list[Any] = self._rows(asked, [])
        return held_by_unit((*row[:2], Unit(row[2]), row[3]) for row in rows)

    def accounts(self, tenant: str | None, segments: Mapping[str, str]) -> list[Account]:
        """Accounts by scope; those of one tenant, or all."""
        where = Where()
        where.equals("tenant", tenant)
        where.holds("scope", segments)
        sql = f"{ACCOUNTS.select} {where} ORDER BY scope, unit, tenant"
        return self._records(ACCOUNTS, sql, where.values)

    def tenants(self) -> list[Tenant]:
        """Every tenant, by id."""
        return self._records(TENANTS, f"{TENANTS.select} ORDER BY tenant_id", [])

    def api_keys(self, tenant: str | None) -> list[ApiKey]:
        """API keys by id; those of one tenant, or all."""
        where = Where()
        where.equals("tenant_id", tenant)
        return self._records(API_KEYS, f"{API_KEYS.select} {where} ORDER BY key_id", where.values)

    def reservations(self, query: ReservationQuery) -> list[Reservation]:
        """One page of reservations."""
        if query.idempotency_key is not None:
            known = self.get((REPLIES.kind, query.tenant, "reserve", query.idempotency_key))
            sql, values = one(query, None if known is None else known.reservation_id)
            return self._records(RESERVATIONS, sql, [*values, query.limit])
        found: list[Reservation] = []
        for sql, values in self._narrowed(query) or statements(query):
            if len(found) < query.limit:
                found += self._records(RESERVATIONS, sql, [*values, query.limit - len(found)])
        return found

    def _narrowed(self, query: ReservationQuery) -> list[Statement]:
        """The one query where a filter leaves few rows; none where that is not known."""
        if query.status is not ReservationStatus.ACTIVE:
            for narrowing in narrowings(query, self._scopes_let_in(query)):
                sql, values = counting(narrowing)
                [(count,)] = self._rows(sql, values)
                if count <= FEW:
                    return [narrowed(query, narrowing)]
        return []

    def _scopes_let_in(self, query: ReservationQuery) -> list[str] | None:
        """The scopes that the filters let in; None where that is all, or there are too many."""
        if not (query.segments or query.scope_filter):
            return None
        most = {"tenant": query.tenant, "most": MAX_SCOPES}
        scopes = [scope for (scope,) in self._rows(SCOPES_IN_USE, most)]
        if len(scopes) == MAX_SCOPES:
            return None
        return [scope for scope in scopes if query.lets_in(scope)]

    def policy_books(self, tenant: str | None) -> list[PolicyBook]:
        """Policies by tenant; those of one, or of all."""
        where = Where()
        where.equals("tenant", tenant)
        return self._records(POLICIES, f"{POLICIES.select} {where} ORDER BY tenant", where.values)

    def declared_kinds(self) -> list[DeclaredKind]:
        """Every declared kind, by its name."""
        return self._records(KINDS, f"{KINDS.select} ORDER BY kind", [])

    def counters(self, query: CounterQuery, now_ms: int) -> list[Counter]:
        """One page of counters, in the order of their index."""
        where = Where()
        where.equals("tenant", query.tenant)
        if query.after is not None:
            where.add("(scope, counted, quota_window, bucket) > (?, ?, ?, ?)", *query.after)
        where.add("expires_at_ms > ?", now_ms)
        where.begins("scope || '/'", None if query.scope is None else f"{query.scope}/")
        where.equals("counted", query.counted)
        where.begins("counted", query.prefix)
        where.begins("counted", query.except_prefix, is_wanted=False)
        where.equals("quota_window", query.window)
        where.equals("bucket", query.bucket)
        if not query.include_zero:
            where.add("used > 0")
        order = "ORDER BY scope, counted, quota_window, bucket"
        sql = f"{COUNTERS.select} {where} {order} LIMIT ?"
        return self._records(COUNTERS, sql, [*where.values, query.limit])

    def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """One page of the audit log."""
        where = Where()
        # Ids tell few entries apart from many; the plus keeps the wider index out of their way.
        has_id = query.resource_id or query.request_id or query.trace_id
        where.equals("+tenant_id" if has_id else "tenant_id", query.tenant_id)
        where.equals("key_id", query.key_id)
        where.equals("resource_id", query.resource_id)
        where.equals("request_id", query.request_id)
        where.equals("trace_id", query.trace_id)
        where.is_one_of("operation", query.operations)
        where.is_one_of("resource_type", query.resource_types)
        where.is_one_of("error_code", query.error_codes)
        where.is_none_of("error_code", query.except_error_codes)
        where.lies_in("status", query.status)
        where.lies_in("+at_ms" if has_id else "at_ms", query.at)
        where.mentions(AUDIT_SEARCHED, query.search)
        column = AUDIT_ORDER.get(query.sort_by, query.sort_by)
        order = Order(column, "log_id", descending=query.descending)
        where.follows(order, query.after)
        sql = f"{AUDIT.select} {where} {order} LIMIT ?"
        return self._records(AUDIT, sql, [*where.values, query.limit])

    def decision_rows(self) -> range:
        """The rowids of all decisions, the oldest first: none is missing in between."""
        ((oldest, newest),) = self._rows("SELECT min(rowid), max(rowid) FROM decisions", [])
        return range(0) if oldest is None else range(oldest, newest + 1)

    def decisions(
        self, wanted: str, tenant: str | None, among: range, limit: int
    ) -> list[DecisionRecord]:
        """Decisions that an id concerns, other than their own, among some rows; newest first."""
        where = Where()
        where.add("rowid BETWEEN ? AND ?", among[0], among[-1])
        where.equals("tenant", tenant)
        where.add(CONCERNS, wanted, wanted, wanted)
        sql = f"{DECISIONS.select} {where} ORDER BY rowid DESC LIMIT ?"
        return self._records(DECISIONS, sql, [*where.values, limit])

    def due(self, now_ms: int, limit: int) -> list[str]:
        """Ids of overdue reservations, the longest overdue first."""
        rows = self._rows(OVERDUE, {"now_ms": now_ms, "limit": limit})
        return [reservation_id for (reservation_id,) in rows]

    def _records(self, codec: Codec[R], sql: str, values: list[Any]) -> list[R]:
        return [codec.decode(row) for row in self._rows(sql, values)]

    def _rows(self, sql: str, values: list[Any] | dict[str, Any]) -> list[Row]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as problem:
            raise translated(problem, self._path) from problem
