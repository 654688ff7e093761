"""A bench for each store we ship: the suite and the tests next to it run on all of them."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from runcycles_server.stores import Store, open_store
from runcycles_server.stores.suite import Bench, Clock
from runcycles_server.stores.waiting import finish_async

STORES = ("memory", "sqlite", "sqlite threaded")


class OnThisLoop:
    """A threaded store, awaited like any other from the event loop of a test."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        asked: Callable[..., Coroutine[Any, Any, Any]] = getattr(self._store, name)
        if name == "now_ms":
            return asked
        return lambda *given, **named: finish_async(asked(*given, **named))


def opened(name: str, path: Path, clock: Clock) -> Store:
    """A store by its name in STORES, not started yet."""
    if name == "memory":
        return open_store("memory:", clock_ms=clock.now_ms)
    threaded = name.endswith("threaded")
    store = open_store(f"sqlite:///{path}", clock_ms=clock.now_ms, threaded=threaded)
    return cast("Store", OnThisLoop(store)) if threaded else store


@asynccontextmanager
async def bench_of(name: str, folder: Path) -> AsyncIterator[Bench]:
    """A bench with an open, empty store, closed at the end."""
    clock, path = Clock(), folder / "cycles.db"

    async def fresh() -> Store:
        store = opened(name, path, clock)
        await store.start()
        return store

    async def reopened() -> Store:
        await bench.store.close()
        return await fresh()

    bench = Bench(await fresh(), clock, None if name == "memory" else reopened)
    try:
        yield bench
    finally:
        await bench.store.close()
