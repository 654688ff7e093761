"""What only reads: lists of records, on a connection and in a thread of their own.

A long list then holds up neither a decision nor the event loop; it sees what was committed when it
began.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from runcycles.ledger.state import Account, Key, Reservation, Tenant
from runcycles_server.records import ApiKey
from runcycles_server.stores.queries import ReservationQuery, Window
from runcycles_server.stores.sqlite.codecs import (
    ACCOUNTS,
    API_KEYS,
    BY_KIND,
    REPLIES,
    RESERVATIONS,
    TENANTS,
    Codec,
)
from runcycles_server.stores.sqlite.failures import translated
from runcycles_server.stores.sqlite.schema import sql_file

R = TypeVar("R")

OVERDUE: Final = sql_file("overdue_reservations.sql")
HOLDS_SEGMENT: Final = "instr('/' || {} || '/', '/' || ? || '/') > 0"
"""Whole segments only: `agent:bot` is not in `tenant:acme/agent:bot-2`."""


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
        where = Where()
        where.equals("tenant", query.tenant)
        where.equals("status", query.status)
        where.holds("scope_path", query.segments)
        where.lies_in("created_at_ms", query.created)
        where.lies_in("expires_at_ms", query.expires)
        where.lies_in("finalized_at_ms", query.finalized)
        if not query.finalized.is_open:
            where.add("finalized_at_ms >= 0")
        if query.idempotency_key is not None:
            found = self.get((REPLIES.kind, query.tenant, "reserve", query.idempotency_key))
            where.add("reservation_id = ?", None if found is None else found.reservation_id)
        if query.after is not None:
            where.follows(query)
        direction = "DESC" if query.descending else "ASC"
        order = f"ORDER BY {query.sort_by} {direction}, reservation_id LIMIT ?"
        sql = f"{RESERVATIONS.select} {where} {order}"
        return self._records(RESERVATIONS, sql, [*where.values, query.limit])

    def due(self, now_ms: int, limit: int) -> list[str]:
        """Ids of overdue reservations, the longest overdue first."""
        try:
            rows = self._connection.execute(OVERDUE, {"now_ms": now_ms, "limit": limit})
            return [reservation_id for (reservation_id,) in rows]
        except sqlite3.Error as problem:
            raise translated(problem, self._path) from problem

    def _records(self, codec: Codec[R], sql: str, values: list[Any]) -> list[R]:
        try:
            return [codec.decode(row) for row in self._connection.execute(sql, values)]
        except sqlite3.Error as problem:
            raise translated(problem, self._path) from problem


class Where:
    """A WHERE clause that grows; names are ours, values are always bound."""

    def __init__(self) -> None:
        self._terms: list[str] = []
        self.values: list[Any] = []

    def __str__(self) -> str:
        return f"WHERE {' AND '.join(self._terms)}" if self._terms else ""

    def add(self, term: str, *values: Any) -> None:
        """One more condition."""
        self._terms.append(term)
        self.values.extend(values)

    def equals(self, column: str, value: str | None) -> None:
        """The column has this value; None asks for nothing."""
        if value is not None:
            self.add(f"{column} = ?", value)

    def holds(self, column: str, segments: Mapping[str, str]) -> None:
        """The scope in this column holds every segment."""
        for level, value in segments.items():
            self.add(HOLDS_SEGMENT.format(column), f"{level}:{value}")

    def lies_in(self, column: str, window: Window) -> None:
        """The moment in this column lies in the window."""
        if window.lowest is not None:
            self.add(f"{column} >= ?", window.lowest)
        if window.highest is not None:
            self.add(f"{column} <= ?", window.highest)

    def follows(self, query: ReservationQuery) -> None:
        """The row comes after the last one of the previous page."""
        assert query.after is not None
        value, last_id = query.after
        column, beyond = query.sort_by, "<=" if query.descending else ">="
        # Two terms, since an index finds the place by the first one and not by an OR.
        self.add(f"{column} {beyond} ?", value)
        self.add(f"({column} <> ? OR reservation_id > ?)", value, last_id)
