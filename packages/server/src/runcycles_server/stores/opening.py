"""A store is a URL: `memory:`, `sqlite:///budget.db`, `sqlite:////var/lib/cycles/budget.db`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runcycles.errors import ConfigurationError
from runcycles_server.stores.base import OnCommit, Store
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.stores.sqlite import SQLiteStore

MEMORY: Final = "memory:"
SQLITE: Final = "sqlite:///"
"""What follows is a path: `sqlite:///budget.db` is relative, `sqlite:////srv/budget.db` is not."""
FORMS: Final = "memory:, sqlite:///relative.db or sqlite:////absolute.db"


def wall_clock_ms() -> int:
    """The machine's own clock, in epoch ms."""
    return time.time_ns() // 1_000_000


def open_store(
    url: str,
    *,
    clock_ms: Callable[[], int] = wall_clock_ms,
    threaded: bool = False,
    on_commit: OnCommit | None = None,
) -> Store:
    """The store under a URL; nothing is touched before its `start`.

    A `threaded` store never blocks its caller's event loop and may be shared between threads, and
    its coroutines are driven by `stores.waiting`. A server that owns its loop is faster without.
    `on_commit` hears of every batch, where the store has batches.

    Raises:
        ConfigurationError: where the URL names no store we know.
    """
    if url == MEMORY:
        return MemoryStore(clock_ms)
    path = url.removeprefix(SQLITE)
    if url == path or not path or path.endswith("/"):
        raise ConfigurationError(f"{url!r} names no store; write {FORMS}")
    return SQLiteStore(Path(path), clock_ms=clock_ms, threaded=threaded, on_commit=on_commit)
