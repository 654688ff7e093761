"""Moving what was committed from the write-ahead log into the database, beside the writer.

A commit is one append to the log. Once it is long, SQLite would have the commit that finds it so
write all of its pages to their places and wait for the disk once more, for ten times as long as a
commit takes; everybody in that batch, and behind it, would wait with it. A thread does that here,
and leaves the writer only what came in the meantime, before it begins the log anew.
"""

import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from runcycles_server.stores.sqlite.connection import open_beside
from runcycles_server.stores.sqlite.failures import leaves_doubt

EVERY: Final = 2_000
"""Records written between two checkpoints; they fill some thousand pages of the log."""

log = logging.getLogger(__name__)


class Checkpoints:
    """Takes checkpoints of one database when enough was written, in a thread of its own."""

    def __init__(self, path: Path, *, doubt: Callable[[], None]) -> None:
        self._path = path
        self._doubt = doubt
        self._written = 0
        self._running: Future[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cycles-checkpoints")
        self._connection = open_beside(path)

    def note(self, records: int) -> None:
        """So many records were committed."""
        self._written += records
        if self._written >= EVERY and (self._running is None or self._running.done()):
            self._written = 0
            self._running = self._thread.submit(self._take)

    def close(self) -> None:
        """Finish what is under way."""
        self._thread.shutdown()
        self._connection.close()

    def _take(self) -> None:
        """Move what is there now. SQLite tries again later whatever it could not move."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as problem:
            if leaves_doubt(problem):
                self._doubt()
            log.warning("a checkpoint of %s failed: %s", self._path, problem)
