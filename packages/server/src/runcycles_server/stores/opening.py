"""A store is a URL: `memory:`, `sqlite:///budget.db`, `sqlite:////var/lib/cycles/budget.db`."""

import time
from collections.abc import Callable

from runcycles.errors import ConfigurationError
from runcycles_server.stores.base import Store
from runcycles_server.stores.memory import MemoryStore

FORMS = "memory:, sqlite:///relative.db or sqlite:////absolute.db"


def wall_clock_ms() -> int:
    """The machine's own clock, in epoch ms."""
    return time.time_ns() // 1_000_000


def open_store(url: str, *, clock_ms: Callable[[], int] = wall_clock_ms) -> Store:
    """The store under a URL; nothing is touched before its `start`.

    Raises:
        ConfigurationError: where the URL names no store we know.
    """
    if url == "memory:":
        return MemoryStore(clock_ms)
    raise ConfigurationError(f"{url!r} names no store; write {FORMS}")
