"""Overdue holds come back, old records go, and nothing that fails stops it for good."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from anyio import fail_after
from anyio.lowlevel import checkpoint

from runcycles.errors import StoreError
from runcycles.ledger.idempotency import HELD_FOR_MS
from runcycles.types import ReservationStatus
from runcycles_server import sweeper as sweeping
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.stores.suite import Bench, Clock
from runcycles_server.stores.suite.bench import a_reservation, an_account
from runcycles_server.stores.suite.samples import a_reply
from runcycles_server.sweeper import Sweeper, Swept
from tests.server.stores.benches import STORES, bench_of


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=STORES)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_of(request.param, tmp_path) as found:
        yield found


async def test_what_is_overdue_is_given_back_once(bench: Bench) -> None:
    await bench.open_budget(100)
    for _ in range(3):
        await bench.reserve(10)
    bench.clock.ms += 65_000
    sweeper = Sweeper(bench.store)
    assert await sweeper.sweep_once() == Swept()
    bench.clock.ms += 1
    assert await sweeper.sweep_once() == Swept(expired=3)
    assert await sweeper.sweep_once() == Swept()
    assert (await bench.budget()).reserved == 0


async def test_what_was_kept_long_enough_is_forgotten(bench: Bench) -> None:
    await bench.open_budget(100)
    held = await bench.hold(10)
    await bench.commit(held, 10)
    bench.clock.ms += HELD_FOR_MS
    assert await Sweeper(bench.store).sweep_once() == Swept(purged=3)
    assert await bench.store.get(("reservation", held)) is None
    assert (await bench.budget()).spent == 10


async def test_a_backlog_is_swept_batch_by_batch(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "EXPIRE_BATCH", 2)
    monkeypatch.setattr(sweeping, "PURGE_BATCH", 2)
    monkeypatch.setattr(sweeping, "MAX_BATCHES", 3)
    await bench.keep(
        an_account(allocated=100, reserved=70),
        *(a_reservation(f"rsv-{number}") for number in range(7)),
    )
    bench.clock.ms += 65_001
    sweeper = Sweeper(bench.store)
    assert await sweeper.sweep_once() == Swept(expired=6)
    assert await sweeper.sweep_once() == Swept(expired=1)
    bench.clock.ms += HELD_FOR_MS
    assert await sweeper.sweep_once() == Swept(purged=6)
    assert await sweeper.sweep_once() == Swept(purged=1)


async def test_others_are_served_between_two_batches(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PURGE_BATCH", 1)
    await bench.keep(*(a_reply(f"{number}", expires_at_ms=bench.clock.ms) for number in range(5)))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    task = asyncio.ensure_future(others())
    assert await Sweeper(bench.store).sweep_once() == Swept(purged=5)
    task.cancel()
    assert turns >= 5


async def test_a_sweeper_that_is_behind_goes_on_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PURGE_BATCH", 1)
    monkeypatch.setattr(sweeping, "MAX_BATCHES", 2)
    replies = [a_reply(f"{number}", expires_at_ms=bench.clock.ms) for number in range(5)]
    await bench.keep(*replies)
    sweeper = Sweeper(bench.store, interval_s=3_600)
    sweeper.start()
    with fail_after(5):
        for reply in replies:
            while await bench.store.get(reply.key) is not None:
                await checkpoint()
    await sweeper.stop()
    assert not Swept(purged=1).is_behind
    assert Swept(expired=sweeping.MAX_BATCHES * sweeping.EXPIRE_BATCH).is_behind


async def test_its_lag_is_the_time_since_nothing_was_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = [5.0]
    monkeypatch.setattr(sweeping, "monotonic", lambda: moments[-1])
    sweeper = Sweeper(bench.store)
    moments.append(65.0)
    assert sweeper.lag_s == 60
    sweeper.start()
    with fail_after(5):
        while sweeper.lag_s:
            await checkpoint()
    await sweeper.stop()


async def test_a_reservation_whose_budget_is_gone_expires_all_the_same(bench: Bench) -> None:
    row = a_reservation("rsv-1")
    await bench.keep(row)
    bench.clock.ms += 65_001
    assert (await Sweeper(bench.store).sweep_once()).expired == 1
    assert (await bench.store.get(row.key)).status is ReservationStatus.EXPIRED


async def test_one_that_cannot_expire_does_not_keep_the_others(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """A budget that holds less than its reservations is damaged; only those are left."""
    sound, damaged = an_account(allocated=100, reserved=10), an_account(scope="tenant:acme/app:x")
    await bench.keep(
        sound,
        damaged,
        a_reservation("rsv-broken", budgeted_scopes=(damaged.scope,)),
        a_reservation("rsv-sound"),
    )
    bench.clock.ms += 65_001
    with caplog.at_level(logging.ERROR):
        assert (await Sweeper(bench.store).sweep_once()).expired == 1
    assert "rsv-broken" in caplog.text
    assert (await bench.store.get(sound.key)).reserved == 0


async def test_damaged_ones_are_tried_again_when_there_are_too_many(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "MAX_STUCK", 1)
    await bench.keep(an_account(), a_reservation("rsv-1"), a_reservation("rsv-2"))
    bench.clock.ms += 65_001
    sweeper = Sweeper(bench.store)
    for _ in range(2):
        assert await sweeper.sweep_once() == Swept()
    assert caplog.text.count("cannot expire") == 3


class FailsTwice(MemoryStore):
    """A store with trouble that passes."""

    def __init__(self) -> None:
        super().__init__(Clock().now_ms)
        self.failures = 2
        self.swept = asyncio.Event()

    async def due(self, limit: int) -> list[str]:
        if self.failures:
            self.failures -= 1
            raise StoreError("not now")
        self.swept.set()
        return []


async def test_a_failed_sweep_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    store = FailsTwice()
    await store.start()
    sweeper = Sweeper(store, interval_s=0)
    with fail_after(5), caplog.at_level(logging.ERROR):
        sweeper.start()
        await store.swept.wait()
        await sweeper.stop()
    assert caplog.text.count("the sweep failed") == 2


async def test_what_else_is_due_is_done_after_each_sweep() -> None:
    store, done = MemoryStore(Clock().now_ms), asyncio.Event()

    async def also() -> None:
        done.set()

    await store.start()
    sweeper = Sweeper(store, interval_s=0, also=also)
    with fail_after(5):
        sweeper.start()
        await done.wait()
        await sweeper.stop()


async def test_a_sweeper_that_never_started_can_be_stopped() -> None:
    await Sweeper(MemoryStore(Clock().now_ms)).stop()
