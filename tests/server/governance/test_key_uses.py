"""When a key was last used: written at most once a minute, and by no request."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from runcycles.ledger.state import Key, Outcome, Transition
from runcycles_server.governance.keys import uses as using
from runcycles_server.governance.keys.uses import EVERY_MS, KeyUses
from runcycles_server.records import ApiKey
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.stores.suite import Clock
from runcycles_server.stores.suite.samples import an_api_key


class CountingStore(MemoryStore):
    """A store that counts its commits."""

    commits = 0

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[Any]) -> Any:
        self.commits += 1
        return await super().transact(footprint, transition)

    async def keep(self, *keys: ApiKey) -> None:
        await super().transact((), lambda _snapshot: Outcome(None, keys))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(clock: Clock) -> AsyncIterator[CountingStore]:
    store = CountingStore(clock.now_ms)
    await store.start()
    yield store
    await store.close()


async def test_a_key_that_is_used_all_the_time_is_written_once_a_minute(
    store: CountingStore, clock: Clock
) -> None:
    uses, written = KeyUses(store), []
    key = an_api_key("key_1")
    await store.keep(key)
    for _second in range(2 * EVERY_MS // 1_000):
        uses.note(await store.get(key.key), clock.ms)
        await uses.flush()
        written.append((await store.get(key.key)).last_used_at_ms)
        clock.ms += 1_000
    assert store.commits == 2
    assert sorted(set(written)) == [clock.ms - 2 * EVERY_MS, clock.ms - EVERY_MS]


async def test_where_no_key_is_used_nothing_is_written(store: CountingStore) -> None:
    await KeyUses(store).flush()
    assert store.commits == 0


async def test_many_keys_are_written_in_bounded_commits(
    store: CountingStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(using, "BATCH", 2)
    keys = [an_api_key(f"key_{number}") for number in range(5)]
    await store.keep(*keys)
    uses = KeyUses(store)
    for key in keys:
        uses.note(key, clock.ms)
    await uses.flush()
    assert store.commits == 3
    assert await store.api_keys(None) == [replace(key, last_used_at_ms=clock.ms) for key in keys]


async def test_a_key_that_was_revoked_meanwhile_stays_revoked(
    store: CountingStore, clock: Clock
) -> None:
    uses, key = KeyUses(store), an_api_key("key_1")
    uses.note(key, clock.ms)
    await store.keep(replace(key, status="REVOKED", name="renamed"))
    await uses.flush()
    found = await store.get(key.key)
    assert (found.status, found.name, found.last_used_at_ms) == ("REVOKED", "renamed", clock.ms)
