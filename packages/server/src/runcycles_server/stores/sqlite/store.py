"""The SQLite store: one file, one process, one writer, and an answer only after the disk's.

This module puts the parts together; how a batch is decided is in `batch`, when it closes in
`writers`, what lists look like in `lists`.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from runcycles.errors import StoreError, StoreOverloadedError
from runcycles.ledger.policies import Counter, DeclaredKind, PolicyBook
from runcycles.ledger.state import Account, Key, Reservation, Tenant, Transition
from runcycles.types import Unit
from runcycles_server.records import ApiKey, AuditEntry, DecisionRecord, decision_key
from runcycles_server.stores.base import OnCommit
from runcycles_server.stores.clock import MonotonicClock
from runcycles_server.stores.queries import AuditQuery, CounterQuery, ReservationQuery
from runcycles_server.stores.sqlite.batch import BatchRunner
from runcycles_server.stores.sqlite.checkpoints import Checkpoints
from runcycles_server.stores.sqlite.connection import open_reader, open_writer
from runcycles_server.stores.sqlite.failures import translated
from runcycles_server.stores.sqlite.lists import Lists
from runcycles_server.stores.sqlite.lock import FileLock
from runcycles_server.stores.sqlite.purge import forget
from runcycles_server.stores.sqlite.reader import MAX_LISTS, Reader
from runcycles_server.stores.sqlite.writers import (
    MAX_WAITING,
    InlineWriter,
    ThreadWriter,
    Writer,
)
from runcycles_server.stores.waiting import Pending

T = TypeVar("T")

MAX_SCANNED: Final = 50_000
"""Decisions looked through at a time, which takes some 50 ms; other lists come in between."""


class SQLiteStore:
    """Keeps records in one SQLite file.

    `threaded` stores write in a thread of their own and may be shared between threads; what they
    return is awaited through `stores.waiting`. Others belong to the event loop of their `start`.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock_ms: Callable[[], int],
        threaded: bool = False,
        on_commit: OnCommit | None = None,
    ) -> None:
        self.path = path
        self._on_commit = on_commit
        self._clock_ms = clock_ms
        self._threaded = threaded
        self._open: _Open | None = None
        self._search = Lock()
        """Through all decisions, which keeps the thread busy: one such search at a time."""

    async def start(self) -> None:
        """Open the file, make or update its tables, and keep other processes out.

        Raises:
            StoreError: with a sentence that says what to do; nothing was changed.
        """
        self._open = _Open(
            self.path, self._clock_ms, threaded=self._threaded, on_commit=self._on_commit
        )

    async def close(self) -> None:
        """Finish what waits and let go of the file."""
        if self._open is not None:
            opened, self._open = self._open, None
            await opened.writer.stop()
            opened.release()

    def now_ms(self) -> int:
        """This moment, in epoch ms."""
        return self._opened.clock.now_ms()

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        """The transition's reply, once the batch it ran in is on the disk."""
        return await self._opened.writer.submit(footprint, transition)

    async def get(self, key: Key) -> Any:
        """The record under a key, or None."""
        if self._threaded:
            return await self._listed(lambda lists: lists.get(key))
        return self._opened.runner.get(key)

    async def accounts(
        self, tenant: str | None, segments: Mapping[str, str] | None = None
    ) -> list[Account]:
        """The accounts of a tenant (None: of all) whose scope holds all segments, by scope."""
        return await self._listed(lambda lists: lists.accounts(tenant, segments or {}))

    async def tenants(self) -> list[Tenant]:
        """Every tenant, by id."""
        return await self._listed(Lists.tenants)

    async def api_keys(self, tenant: str | None) -> list[ApiKey]:
        """The API keys of a tenant (None: of all), by id."""
        return await self._listed(lambda lists: lists.api_keys(tenant))

    async def policy_books(self, tenant: str | None) -> list[PolicyBook]:
        """The policies of a tenant, if it has any (None: of all), by tenant."""
        return await self._listed(lambda lists: lists.policy_books(tenant))

    async def declared_kinds(self) -> list[DeclaredKind]:
        """Every kind of action that the operator declared, by its name."""
        return await self._listed(Lists.declared_kinds)

    async def counters(self, query: CounterQuery) -> list[Counter]:
        """At most `limit` counters that match and are live now, by their place."""
        now_ms = self.now_ms()
        return await self._listed(lambda lists: lists.counters(query, now_ms))

    async def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """At most `limit` audit entries that match, in the order asked for."""
        return await self._listed(lambda lists: lists.audit(query))

    async def decisions(
        self, wanted: str, *, tenant: str | None = None, limit: int = 20
    ) -> list[DecisionRecord]:
        """At most `limit` decisions that an id concerns, of one tenant or of all, newest first."""
        named: DecisionRecord | None = await self.get(decision_key(wanted))
        if named is not None:
            return [named][:limit] if tenant in (None, named.tenant) else []
        if not self._search.acquire(blocking=False):
            raise StoreOverloadedError("another search for a decision is under way; try later")
        try:
            return await self._searched(wanted, tenant, limit)
        finally:
            self._search.release()

    async def _searched(self, wanted: str, tenant: str | None, limit: int) -> list[DecisionRecord]:
        found: list[DecisionRecord] = []
        rows = await self._listed(Lists.decision_rows)
        while rows and len(found) < limit:
            rows, among = rows[:-MAX_SCANNED], rows[-MAX_SCANNED:]
            look = partial(Lists.decisions, wanted=wanted, tenant=tenant, among=among)
            found += await self._listed(partial(look, limit=limit - len(found)))
        return found

    async def reservations(self, query: ReservationQuery) -> list[Reservation]:
        """At most `limit` reservations that match, in the order asked for."""
        return await self._listed(lambda lists: lists.reservations(query))

    async def due(self, limit: int) -> list[str]:
        """Ids of ACTIVE reservations whose grace is over, the longest overdue first."""
        now_ms = self.now_ms()
        # overdue holds have to come back, however many lists are asked for
        return await self._listed(lambda lists: lists.due(now_ms, limit), is_urgent=True)

    async def held(self) -> dict[Unit, int]:
        """What the outermost budgets that hold anything hold, by unit; no hold counts twice."""
        return await self._listed(Lists.held)

    def waiting(self) -> dict[str, int]:
        """How many wait for the next commit, and for the thread that reads lists."""
        return {"commit": self._opened.writer.waiting, "lists": self._opened.reader.waiting}

    async def purge(self, limit: int) -> int:
        """Forget up to `limit` records whose retention is over; how many were forgotten."""
        runner = self._opened.runner
        purge = partial(forget, limit=limit)
        return len(await self._opened.writer.call(lambda: runner.write(purge)))

    async def check(self) -> None:
        """Raise `StoreError` if writes are not taken now."""
        await self._opened.writer.call(self._opened.runner.check)

    @property
    def _opened(self) -> "_Open":
        if self._open is None:
            raise StoreError(f"{self.path} is not open")
        return self._open

    def _listed(self, work: Callable[[Lists], T], *, is_urgent: bool = False) -> Awaitable[T]:
        future = self._opened.reader.submit(work, is_urgent=is_urgent)
        return Pending(future) if self._threaded else asyncio.wrap_future(future)


class _Open:
    """What is there between `start` and `close`."""

    def __init__(
        self,
        path: Path,
        clock_ms: Callable[[], int],
        *,
        threaded: bool,
        on_commit: OnCommit | None,
    ) -> None:
        self._lock = FileLock(path)
        self._lock.acquire()
        try:
            self._connection = open_writer(path)
            (highest,) = self._connection.execute("SELECT now_ms FROM clock").fetchone()
            self.clock = MonotonicClock(clock_ms, at_least_ms=highest)
            connection = open_reader(path)
            self._checkpoints = Checkpoints(path, doubt=self._doubt)
        except BaseException as problem:
            self._lock.release()
            if isinstance(problem, sqlite3.Error | OSError):
                raise translated(problem, path) from problem
            raise
        self.runner = BatchRunner(
            self._connection,
            path,
            self.clock,
            on_commit=self._checkpoints.note,
            on_batch=on_commit,
        )
        self.reader = Reader(connection, path, most=MAX_WAITING if threaded else MAX_LISTS)
        self.writer: Writer = ThreadWriter(self.runner) if threaded else InlineWriter(self.runner)

    def release(self) -> None:
        """Close everything, the lock last."""
        self.reader.close()
        self._checkpoints.close()
        self._connection.close()
        self._lock.release()

    def _doubt(self) -> None:
        self.runner.doubt()
