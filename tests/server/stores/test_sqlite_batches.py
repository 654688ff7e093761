"""Group commit as the database sees it: what a batch costs, and what it takes down with it."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest
from anyio import fail_after

from runcycles.errors import StoreBusyError, StoreCorruptError, StoreError
from runcycles.ledger.policies import PolicyBook
from runcycles.ledger.state import Key, Outcome, Record, Snapshot, Transition
from runcycles_server.authority import Authority
from runcycles_server.stores import AuditQuery, CounterQuery, Window
from runcycles_server.stores.clock import MonotonicClock
from runcycles_server.stores.sqlite.batch import MAX_CACHED, BatchRunner
from runcycles_server.stores.sqlite.codecs import CODECS, Codec
from runcycles_server.stores.sqlite.connection import open_writer
from runcycles_server.stores.sqlite.lists import OVERDUE, Lists
from runcycles_server.stores.sqlite.purge import FORGET, asked
from runcycles_server.stores.sqlite.writers import MAX_BATCH, InlineWriter
from runcycles_server.stores.suite import Clock
from runcycles_server.stores.suite.bench import (
    ACCOUNT,
    TENANT,
    a_reservation,
    a_reserve,
    added,
    an_account,
    together,
)
from runcycles_server.stores.suite.samples import a_counter


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Traced:
    """An inline writer over a connection whose statements are written down."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = open_writer(path)
        self.statements: list[str] = []
        self.connection.set_trace_callback(self.statements.append)
        self.clock = Clock()
        self.runner = BatchRunner(self.connection, path, MonotonicClock(self.clock.now_ms))
        self.writer = InlineWriter(self.runner)

    async def keep(self, *records: Record) -> None:
        footprint = tuple(record.key for record in records)
        await self.writer.submit(footprint, lambda _snapshot: Outcome(None, records))

    def count(self, start: str) -> int:
        return sum(statement.startswith(start) for statement in self.statements)


@pytest.fixture
async def traced(tmp_path: Path) -> Any:
    found = Traced(tmp_path / "cycles.db")
    yield found
    found.connection.close()


# ── what a batch costs ───────────────────────────────────────────────────────────────────────


async def test_what_waits_together_is_looked_up_written_and_committed_once(traced: Traced) -> None:
    await traced.keep(an_account(allocated=10_000))
    authority = Authority(_store_of(traced))
    traced.statements.clear()
    await asyncio.gather(*(authority.ask(a_reserve(1), tenant=TENANT) for _ in range(32)))
    assert traced.count("BEGIN") == traced.count("COMMIT") == 1
    # the 32 keys; and what nobody has made: the tenant, its policies, the stops
    assert traced.count("SELECT") == 4
    assert traced.count("INSERT INTO accounts") == 1
    assert traced.count("INSERT INTO reservations") == 32
    assert traced.count("INSERT INTO replies") == 32


async def test_accounts_are_not_looked_up_again(traced: Traced) -> None:
    await traced.keep(an_account(allocated=100))
    traced.statements.clear()
    for spent in (1, 2, 3):
        assert await traced.writer.submit((ACCOUNT,), added(1)) == spent
    assert traced.count("SELECT") == 0


async def test_what_changes_nothing_is_not_committed(traced: Traced) -> None:
    await traced.writer.submit((ACCOUNT,), lambda _snapshot: Outcome(None))
    assert (traced.count("BEGIN"), traced.count("COMMIT")) == (1, 0)


async def test_a_batch_closes_when_it_is_full(traced: Traced) -> None:
    await traced.keep(an_account(allocated=100_000))
    traced.statements.clear()
    asked = [traced.writer.submit((ACCOUNT,), added(1)) for _ in range(MAX_BATCH + 10)]
    await asyncio.gather(*asked)
    assert traced.count("COMMIT") >= 1
    assert (await asked[-1]) == MAX_BATCH + 10


async def test_late_comers_of_the_same_turn_share_the_batch(traced: Traced) -> None:
    """A request that leads to another one a turn later does not close the batch before it."""
    await traced.keep(an_account(allocated=100))
    traced.statements.clear()
    first = asyncio.ensure_future(traced.writer.submit((ACCOUNT,), added(1)))
    loop = asyncio.get_running_loop()
    late: list[Any] = []
    loop.call_soon(lambda: late.append(traced.writer.submit((ACCOUNT,), added(1))))
    assert await first == 1
    assert await late[0] == 2
    assert traced.count("COMMIT") == 1


async def test_who_went_away_before_the_batch_is_not_decided(traced: Traced) -> None:
    await traced.keep(an_account(allocated=100))
    gone = asyncio.ensure_future(traced.writer.submit((ACCOUNT,), added(1)))
    gone.cancel()
    assert await traced.writer.submit((ACCOUNT,), added(1)) == 1


async def test_what_is_asked_for_again_and_again_is_looked_up_once(traced: Traced) -> None:
    """However many records pass by meanwhile, of runs and reservations that are over soon."""
    hot = (PolicyBook(tenant=TENANT).key, ACCOUNT)
    await traced.keep(an_account(allocated=100))
    await traced.writer.submit(hot, lambda _snapshot: Outcome(None))
    for number in range(MAX_CACHED // 1_000 + 1):
        passing = [a_counter(bucket=f"run {number} {each}").key for each in range(1_000)]
        await traced.writer.submit((*passing, *hot), lambda _snapshot: Outcome(None))
    traced.statements.clear()
    await traced.writer.submit(hot, lambda _snapshot: Outcome(None))
    assert traced.count("SELECT") == 0


@pytest.mark.parametrize("keys", [1, 2, 3, 32, 513, 1_100])
async def test_any_number_of_keys_is_found(traced: Traced, keys: int) -> None:
    rows = [a_reservation(f"rsv-{number}") for number in range(keys)]
    await traced.keep(*rows)
    fresh = BatchRunner(traced.connection, traced.path, MonotonicClock(traced.clock.now_ms))
    found = await InlineWriter(fresh).submit(
        tuple(row.key for row in rows), lambda snapshot: Outcome(dict(snapshot.records))
    )
    assert found == {row.key: row for row in rows}


# ── every query finds its rows by an index ───────────────────────────────────────────────────


def plan_of(connection: sqlite3.Connection, sql: str, values: Any) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


def scans(plan: Sequence[str]) -> list[str]:
    """The steps that walk through a whole table; the list of what is asked for is no table."""
    return [step for step in plan if step.startswith("SCAN") and "(subquery" not in step]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.kind)
async def test_keys_are_found_by_an_index(traced: Traced, codec: Codec[Any]) -> None:
    plan = plan_of(traced.connection, codec.lookup(4), ["x"] * 4 * codec.key_length)
    assert scans([step for step in plan if "CONSTANT ROW" not in step]) == []
    assert any(step.startswith(f"SEARCH {codec.table} USING") for step in plan)


@pytest.mark.parametrize("sql", [OVERDUE, *(sql for _, sql in FORGET)])
async def test_the_sweeper_finds_its_work_by_an_index(traced: Traced, sql: str) -> None:
    assert scans(plan_of(traced.connection, sql, asked(1) | {"limit": 1})) == []


SELECTIVE: list[dict[str, Any]] = [
    *({name: "x"} for name in ("tenant_id", "resource_id", "request_id", "trace_id")),
    {"request_id": "x", "tenant_id": "x", "at": Window(lowest=1, highest=2)},
    {"at": Window(lowest=1)},
    {},
]


@pytest.mark.parametrize("fields", SELECTIVE, ids=str)
async def test_the_audit_log_is_searched_by_an_index(
    traced: Traced, fields: dict[str, Any]
) -> None:
    """By the id where there is one; else by age, which is also the order."""
    Lists(traced.connection, traced.path).audit(AuditQuery(**fields))
    index = {
        "tenant_id": "audit_of_tenant",
        "resource_id": "audit_of_resource",
        "request_id": "audit_of_request",
        "trace_id": "audit_of_trace",
    }.get(next(iter(fields), ""), "audit_by_age")
    plan = plan_of(traced.connection, traced.statements[-1], ())
    assert f"USING INDEX {index}" in plan[0], plan


async def test_live_counters_are_found_by_the_index_of_their_places(traced: Traced) -> None:
    after = ("a", "b", "c", "d")
    Lists(traced.connection, traced.path).counters(CounterQuery(tenant="x", after=after), 1)
    (step,) = plan_of(traced.connection, traced.statements[-1], ())  # and no step that sorts
    assert step.endswith("(tenant=? AND (scope,counted,quota_window,bucket)>(?,?,?,?))"), step


# ── what a batch takes down ──────────────────────────────────────────────────────────────────


def keeps(record: Record) -> Transition[str]:
    return lambda _snapshot: Outcome("kept", (record,))


async def test_a_record_that_cannot_be_written_fails_alone(traced: Traced) -> None:
    broken = a_reservation("rsv-\ud800")  # half a character: JSON knows it, UTF-8 does not
    rows = [a_reservation("rsv-1"), broken, a_reservation("rsv-2")]
    asked = (traced.writer.submit((row.key,), keeps(row)) for row in rows)
    one, problem, two = await together(*asked)
    assert (one, two) == ("kept", "kept")
    assert isinstance(problem, StoreError)
    assert traced.runner.get(rows[2].key) == rows[2]


async def test_a_damaged_row_fails_who_asks_for_it_alone(traced: Traced) -> None:
    await traced.keep(an_account(allocated=100), a_reservation("rsv-1"))
    traced.connection.execute("UPDATE accounts SET reserved = -1")
    fresh = BatchRunner(traced.connection, traced.path, MonotonicClock(traced.clock.now_ms))
    writer = InlineWriter(fresh)
    key = a_reservation("rsv-1").key
    problem, found = await together(
        writer.submit((ACCOUNT,), added(1)),
        writer.submit((key,), lambda snapshot: Outcome(snapshot.records[key])),
    )
    assert isinstance(problem, StoreCorruptError)
    assert "row acme/tenant:acme/TOKENS of the table accounts is damaged" in str(problem)
    assert found == a_reservation("rsv-1")


async def test_a_commit_that_fails_fails_everyone_and_is_as_if_it_had_not_been(
    traced: Traced,
) -> None:
    await traced.keep(an_account(allocated=100))
    with closing(sqlite3.connect(traced.path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        asked = (traced.writer.submit((ACCOUNT,), added(1)) for _ in range(3))
        problems = await together(*asked)
        assert [type(problem) for problem in problems] == [StoreBusyError] * 3
        with pytest.raises(StoreBusyError, match="another program is writing"):
            traced.runner.check()
        foreign.execute("ROLLBACK")
    traced.runner.check()
    assert await traced.writer.submit((ACCOUNT,), added(1)) == 1


async def test_a_writer_that_is_interrupted_leaves_nobody_waiting(traced: Traced) -> None:
    def interrupted(_snapshot: Snapshot) -> NoReturn:
        raise SystemExit

    asked = [
        traced.writer.submit((ACCOUNT,), keeps(an_account())),
        traced.writer.submit((), interrupted),
    ]
    with pytest.raises(SystemExit):
        await traced.writer.stop()
    with fail_after(5):
        problems = await together(*asked)
    assert all(isinstance(problem, StoreError) for problem in problems)
    assert traced.runner.get(ACCOUNT) is None


def _store_of(traced: Traced) -> Any:
    class OnlyTransacts:
        async def transact(self, footprint: tuple[Key, ...], transition: Transition[Any]) -> Any:
            return await traced.writer.submit(footprint, transition)

    return OnlyTransacts()
