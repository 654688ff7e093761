"""What else can go wrong while a store is open, and how it is said."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

import pytest

from runcycles.errors import (
    StoreBusyError,
    StoreCorruptError,
    StoreError,
    StoreOverloadedError,
)
from runcycles.ledger.state import Outcome, Snapshot, reservation_key, tenant_key
from runcycles_server.stores import ReservationQuery
from runcycles_server.stores.clock import MonotonicClock
from runcycles_server.stores.sqlite import writers
from runcycles_server.stores.sqlite.batch import Asked, BatchRunner
from runcycles_server.stores.sqlite.connection import (
    keep_a_write_ahead_log,
    open_reader,
    open_writer,
)
from runcycles_server.stores.sqlite.lists import Lists
from runcycles_server.stores.sqlite.reader import Reader
from runcycles_server.stores.sqlite.writers import InlineWriter, ThreadWriter
from runcycles_server.stores.suite import Bench, Clock
from runcycles_server.stores.suite.bench import ACCOUNT, TENANT, added, an_account, together
from runcycles_server.stores.waiting import finish_async
from tests.server.stores.benches import bench_of


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", "sqlite threaded"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_of(request.param, tmp_path) as found:
        await found.open_budget(100)
        yield found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cycles.db"


@pytest.fixture
def runner(path: Path) -> Iterator[BatchRunner]:
    with closing(open_writer(path)) as connection:
        yield BatchRunner(connection, path, MonotonicClock(Clock().now_ms))


async def test_a_purge_that_fails_says_why(bench: Bench, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="another program is writing"):
            await bench.store.purge(10)
        foreign.execute("ROLLBACK")
    assert await bench.store.purge(10) == 0


async def test_a_list_over_a_damaged_row_says_which(bench: Bench, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("UPDATE accounts SET spent = -1")
    with pytest.raises(StoreCorruptError, match="of the table accounts is damaged"):
        await bench.store.accounts(TENANT)


async def test_a_list_that_sqlite_refuses_is_told_in_our_words(bench: Bench, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("DROP TABLE reservations")
    for asked in (
        bench.store.reservations(ReservationQuery(tenant=TENANT)),
        bench.store.due(1),
        bench.store.get(reservation_key("rsv-1")),
    ):
        with pytest.raises(StoreError, match=r"answered: no such table: reservations"):
            await asked


@pytest.mark.parametrize("kind", [InlineWriter, ThreadWriter])
async def test_too_many_who_wait_are_told_to_come_later(
    runner: BatchRunner, monkeypatch: pytest.MonkeyPatch, kind: type[InlineWriter | ThreadWriter]
) -> None:
    writer = kind(runner)
    monkeypatch.setattr(writers, "MAX_WAITING", 0)
    with pytest.raises(StoreOverloadedError, match="0 requests wait for the disk already"):
        _ = writer.submit((), lambda _snapshot: Outcome(None))
    monkeypatch.undo()
    if isinstance(writer, ThreadWriter):
        await _stopped(writer)


def test_a_reader_takes_so_many_lists_at_once_and_what_is_urgent(path: Path) -> None:
    open_writer(path).close()
    reader, may_end = Reader(open_reader(path), path, most=2), Event()
    first = reader.submit(lambda _lists: may_end.wait(5))
    second = reader.submit(Lists.tenants)
    with pytest.raises(StoreOverloadedError, match="2 lists are asked for; try later"):
        _ = reader.submit(Lists.tenants)
    urgent = reader.submit(lambda lists: lists.due(0, 1), is_urgent=True)
    assert reader.waiting == 3
    may_end.set()
    assert (first.result(5), second.result(5), urgent.result(5)) == (True, [], [])
    reader.close()
    assert reader.waiting == 0


async def test_a_writer_that_was_stopped_takes_nothing_more(runner: BatchRunner) -> None:
    writer = ThreadWriter(runner)
    await _stopped(writer)
    with pytest.raises(StoreError, match="the store is closed"):
        _ = writer.submit((), lambda _snapshot: Outcome(None))


async def _stopped(writer: ThreadWriter) -> None:
    await finish_async(_awaited(writer.stop()))


async def test_a_thread_that_is_interrupted_leaves_nobody_waiting(
    runner: BatchRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", ends.append)
    writer = ThreadWriter(runner)
    began, may_end = Event(), Event()

    def interrupted(_snapshot: Snapshot) -> NoReturn:
        began.set()
        may_end.wait(5)
        raise SystemExit

    first: Awaitable[Any] = writer.submit((), interrupted)
    assert began.wait(5)
    late: list[Awaitable[Any]] = [
        writer.submit((ACCOUNT,), added(1)),
        writer.call(lambda: "done"),
    ]
    may_end.set()
    for asked, answer in ((first, "interrupted"), (late[0], "closed")):
        with pytest.raises(StoreError, match=answer):
            await finish_async(_awaited(asked))
    assert await finish_async(_awaited(late[1])) == "done"
    with pytest.raises(StoreError, match="the store is closed"):
        _ = writer.submit((), lambda _snapshot: Outcome(None))
    for thread in threading.enumerate():
        if thread.name == "cycles-writer":
            thread.join(5)
    assert [end.exc_type for end in ends] == [SystemExit]


async def _awaited(asked: Awaitable[Any]) -> Any:
    return await asked


async def test_a_caller_that_goes_away_during_its_batch_is_not_answered(
    runner: BatchRunner,
) -> None:
    writer = InlineWriter(runner)
    gone = asyncio.ensure_future(writer.submit((tenant_key("a"),), lambda _s: Outcome("a")))

    def cancels(_snapshot: Snapshot) -> Outcome[str]:
        gone.cancel()
        return Outcome("b")

    first, second = await together(writer.submit((), cancels), gone)
    assert first == "b"
    assert isinstance(second, asyncio.CancelledError)


async def test_after_a_rollback_that_failed_nothing_is_written_any_more(path: Path) -> None:
    connection = open_writer(path)
    runner = BatchRunner(connection, path, MonotonicClock(Clock().now_ms))
    connection.close()
    loop = asyncio.get_running_loop()
    for sentence in ("Cannot operate on a closed database", "takes no more writes"):
        asked = Asked((ACCOUNT,), added(1), loop.create_future())
        runner.run([asked])
        assert isinstance(asked.error, StoreError)
        assert sentence in str(asked.error)


async def test_other_work_that_raises_is_rolled_back(runner: BatchRunner) -> None:
    writer = InlineWriter(runner)
    record = an_account(allocated=1)
    await writer.submit((), lambda _snapshot: Outcome(None, (record,)))

    def breaks(connection: sqlite3.Connection, _now_ms: int) -> NoReturn:
        connection.execute("DELETE FROM accounts")
        raise LookupError("a bug")

    with pytest.raises(LookupError):
        runner.write(breaks)
    assert runner.get(ACCOUNT) == record


def test_a_file_system_without_a_write_ahead_log_is_refused(path: Path) -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(StoreError, match="without shared memory"),
    ):
        keep_a_write_ahead_log(connection, path)


async def test_only_one_search_through_all_decisions_runs_at_a_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for an id that nobody knows keeps the thread of the lists busy for long."""
    begun, may_end = Event(), Event()

    def found(*_lists: Lists, **_of: object) -> list[Any]:
        begun.set()
        return ["found"] * 20 if may_end.is_set() else []

    monkeypatch.setattr(Lists, "decision_rows", lambda _lists: range(10**15))
    monkeypatch.setattr(Lists, "decisions", found)
    async with asyncio.timeout(10):
        first = asyncio.ensure_future(bench.store.decisions("nobody knows"))
        assert await asyncio.to_thread(begun.wait, 10)
        with pytest.raises(StoreOverloadedError, match="another search"):
            await bench.store.decisions("nobody knows")
        may_end.set()
        for answer in (await first, await bench.store.decisions("nobody knows")):
            assert [str(each) for each in answer] == ["found"] * 20
