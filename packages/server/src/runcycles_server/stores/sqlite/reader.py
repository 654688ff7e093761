"""The thread that reads lists, one after the other, and takes only so many at once."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from runcycles.errors import StoreOverloadedError
from runcycles_server.stores.sqlite.lists import Lists

T = TypeVar("T")

MAX_LISTS: Final = 200
"""Lists that may wait for a server's thread; at 20 ms each, the last one comes after 4 s."""


class Reader:
    """Reads on a connection and a thread of its own, beside whoever writes."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, most: int) -> None:
        self._connection = connection
        self._lists = Lists(connection, path)
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cycles-lists")
        self._most = most
        self._lock = Lock()
        self.waiting = 0
        """What was asked for and has not been answered."""

    def submit(self, work: Callable[[Lists], T], *, is_urgent: bool = False) -> Future[T]:
        """Have the thread do it.

        Raises:
            StoreOverloadedError: too much waits already, and this is not urgent.
        """
        with self._lock:
            if self.waiting >= self._most and not is_urgent:
                raise StoreOverloadedError(f"{self.waiting} lists are asked for; try later")
            self.waiting += 1
        future = self._threads.submit(work, self._lists)
        future.add_done_callback(self._answered)
        return future

    def close(self) -> None:
        """Answer what waits, then close the connection."""
        self._threads.shutdown()
        self._connection.close()

    def _answered(self, _: "Future[T]") -> None:
        with self._lock:
            self.waiting -= 1
