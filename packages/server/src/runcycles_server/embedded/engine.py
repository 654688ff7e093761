"""An open store with its authority, shared by everybody in this process who names it.

A file takes one store, a budget in memory exists once: whoever opens the same one again gets the
same engine. It closes with its last user, or with the process.
"""

import atexit
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Final, TypeVar

from runcycles.errors import StoreError
from runcycles_server.authority import Authority
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.stores.opening import SQLITE, open_store
from runcycles_server.stores.waiting import ANSWERING, finish, finish_async
from runcycles_server.sweeper import Sweeper

T = TypeVar("T")

SWEEP_EVERY_MS: Final = 1_000
"""An overdue hold can deny a question for this long at most; to look costs a fraction of a ms."""

log = logging.getLogger(__name__)


class Engine:
    """Runs the authority's coroutines for callers with and without an event loop."""

    def __init__(self, url: str, clock_ms: Callable[[], int]) -> None:
        self.store = open_store(url, clock_ms=clock_ms, threaded=True)
        self.authority = Authority(self.store)
        self.users = 0
        self._sweeper = Sweeper(self.store)
        self._sweeps_at_ms = 0
        # The memory store never waits, so it needs no thread, but only one caller may step it.
        self._never_waits = isinstance(self.store, MemoryStore)
        self._lock = RLock()
        finish(self.store.start())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it to its end; blocks this thread where the store has to wait for its disk."""
        if not self._never_waits:
            return finish(coroutine)
        try:
            with self._lock, ANSWERING:
                return finish(coroutine)
        finally:
            coroutine.close()

    async def run_async(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it to its end on whichever event loop this is."""
        if self._never_waits:
            return self.run(coroutine)
        return await finish_async(coroutine)

    async def sweep_if_due(self) -> None:
        """Give back what overdue reservations hold, before a question that may need it."""
        now_ms = self.store.now_ms()
        if now_ms < self._sweeps_at_ms:
            return
        self._sweeps_at_ms = now_ms + SWEEP_EVERY_MS
        try:
            await self._sweeper.sweep_once()
        except StoreError:
            log.exception("the sweep failed; trying again in %s ms", SWEEP_EVERY_MS)

    def close(self) -> None:
        """Finish what waits and let go of the store."""
        self.run(self.store.close())


class Engines:
    """The engines of this process, by what they hold."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_name: dict[str, Engine] = {}

    def enter(self, url: str, name: str, clock_ms: Callable[[], int]) -> Engine:
        """The engine of this name, opened if it is not.

        Raises:
            StoreError, ConfigurationError: it cannot be opened.
        """
        with self._lock:
            if not self._by_name:
                atexit.register(self._close_all)
            engine = self._by_name.get(name) or Engine(url, clock_ms)
            self._by_name[name] = engine
            engine.users += 1
            return engine

    def leave(self, name: str) -> None:
        """One user less; the last one closes the engine."""
        with self._lock:
            engine = self._by_name[name]
            engine.users -= 1
            if engine.users == 0:
                del self._by_name[name]
                engine.close()
            if not self._by_name:
                atexit.unregister(self._close_all)

    def _close_all(self) -> None:
        with self._lock:
            while self._by_name:
                _, engine = self._by_name.popitem()
                engine.close()


ENGINES: Final = Engines()
"""The one thing that a process shares without being handed it, as a file has only one owner."""


def name_of(url: str) -> str:
    """What a store URL holds: for a file its real path, however it was spelled."""
    path = url.removeprefix(SQLITE)
    return url if path == url else str(Path(path).resolve())
