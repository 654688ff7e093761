"""A disk under the real SQLite store: it is full, busy or broken at times, and survives crashes.

A crash leaves the files as they are at that step, between any two statements; the last commit may
be torn at any byte. The next start gets a copy of what was left.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from runcycles.ledger.state import Key, Transition
from runcycles_server.stores.base import Store
from runcycles_server.stores.sqlite import SQLiteStore
from runcycles_server.stores.sqlite.connection import open_writer
from tests.simulation.court import Court
from tests.simulation.line import KilledError

T = TypeVar("T")
IN_MEMORY = Path("/dev/shm")
BUSY, FULL, BROKEN = 0.01, 0.003, 0.001


def failure(message: str, code: int) -> sqlite3.OperationalError:
    problem = sqlite3.OperationalError(message)
    problem.sqlite_errorcode = code
    return problem


class Here:
    """An executor without threads."""

    def __init__(self, **_: Any) -> None:
        pass

    def submit(self, work: Callable[..., T], *args: Any) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(work(*args))
        except Exception as problem:  # noqa: BLE001 - it belongs to whoever waits
            done.set_exception(problem)
        return done

    def shutdown(self) -> None:
        pass


class Connection:
    """The connection that writes, with every statement a step at which it may end."""

    def __init__(self, disk: "SQLiteDisk") -> None:
        self._real = open_writer(disk.path)
        self._disk = disk
        self.is_dead = False

    @property
    def in_transaction(self) -> bool:
        self._step()
        return self._real.in_transaction

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._step()
        disk, court = self._disk, self._disk.court
        if sql == "BEGIN IMMEDIATE":
            disk.fail(BUSY, "disk busy", "database is locked", sqlite3.SQLITE_BUSY)
        if sql == "COMMIT":
            return self._commit()
        cursor = self._real.execute(sql, *values)
        if sql == "ROLLBACK":  # of a batch that had nothing to write, or of one that failed
            court.kept()
        return cursor

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        self._step()
        self._disk.fail(FULL, "disk full", "database or disk is full", sqlite3.SQLITE_FULL)
        return self._real.executemany(sql, rows)

    def close(self) -> None:
        self._real.close()

    def _commit(self) -> sqlite3.Cursor:
        disk = self._disk
        is_there = disk.rng.random() < 0.5
        if not is_there:
            disk.fail(BROKEN, "disk broken", "disk I/O error", sqlite3.SQLITE_IOERR)
        before = disk.log_size()
        cursor = self._real.execute("COMMIT")
        after = disk.log_size()
        if disk.steps_left is not None and before < after and disk.rng.random() < 0.3:
            disk.count("torn commit")
            self._die(cut=disk.rng.randrange(before, after))
        disk.court.kept()
        if is_there:
            disk.fail(BROKEN, "disk broken", "disk I/O error", sqlite3.SQLITE_IOERR)
        self._step()
        return cursor

    def _step(self) -> None:
        if self.is_dead:
            raise KilledError
        if self._disk.steps_left == 0:
            self._die()
        if self._disk.steps_left is not None:
            self._disk.steps_left -= 1

    def _die(self, cut: int | None = None) -> None:
        self._disk.cut = cut
        self._disk.died()
        raise KilledError


class WatchedSQLite(SQLiteStore):
    def __init__(self, path: Path, clock_ms: Callable[[], int], court: Court) -> None:
        super().__init__(path, clock_ms=clock_ms)
        self._court = court

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        return await super().transact(footprint, self._court.watch(transition))

    def let_go(self) -> None:
        """What the kernel does for a process that is gone."""
        if self._open is not None:
            opened, self._open = self._open, None
            opened.release()


class SQLiteDisk:
    """The files of one database, one copy for each start."""

    def __init__(
        self,
        clock_ms: Callable[[], int],
        court: Court,
        rng: Random,
        faults: dict[str, int],
    ) -> None:
        folder = IN_MEMORY if IN_MEMORY.is_dir() else None
        self._folder = tempfile.TemporaryDirectory(prefix="cycles-simulation-", dir=folder)
        self._clock_ms = clock_ms
        self.court = court
        self.rng = rng
        self._faults = faults
        self.died: Callable[[], None] = self.crash
        self.path = Path(self._folder.name) / "cycles-0.db"
        self._copies = 0
        self.steps_left: int | None = None
        self.cut: int | None = None
        self._connection: Connection | None = None
        self._store: WatchedSQLite | None = None

    # --- as the server sees it ---

    def open(self) -> Store:
        self._store = WatchedSQLite(self.path, self._clock_ms, self.court)
        return self._store

    def connect(self, _: Path) -> Connection:
        self._connection = Connection(self)
        return self._connection

    def crash(self) -> None:
        """Copy what the files hold now; then nobody uses the old ones any more."""
        self.steps_left = None
        left, self._copies = self.path, self._copies + 1
        self.path = left.with_name(f"cycles-{self._copies}.db")
        for suffix in ("", "-wal"):
            old, new = (path.with_name(path.name + suffix) for path in (left, self.path))
            if old.exists():
                shutil.copyfile(old, new)
        if self.cut is not None:
            with self.path.with_name(self.path.name + "-wal").open("r+b") as log:
                log.truncate(self.cut)
            self.cut = None
        if self._connection is not None and self._store is not None:
            self._connection.is_dead = True
            self._store.let_go()
        for old in left.parent.glob(left.name + "*"):
            old.unlink()

    def close(self) -> None:
        if self._store is not None:
            self._store.let_go()
        self._folder.cleanup()

    # --- its faults ---

    def log_size(self) -> int:
        log = self.path.with_name(self.path.name + "-wal")
        return log.stat().st_size if log.exists() else 0

    def count(self, fault: str) -> None:
        self._faults[fault] = self._faults.get(fault, 0) + 1

    def fail(self, chance: float, fault: str, message: str, code: int) -> None:
        if self.court.judged and self.rng.random() < chance:
            self.count(fault)
            self.court.dropped()
            raise failure(message, code)
