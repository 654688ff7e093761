"""One simulated world: a seed, some clients, operators, a server that dies, a clock that jumps.

The seed decides everything, so what went wrong once goes wrong again.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from runcycles import guard, ids
from runcycles.errors import StoreError
from runcycles.flows import Timing
from runcycles.heartbeat import Lease
from runcycles.ops import Op
from runcycles.testing.clock import SOME_DAY_MS
from runcycles.types import ReservationStatus
from runcycles_server.stores.queries import CounterQuery, ReservationQuery
from runcycles_server.stores.sqlite import checkpoints, reader
from runcycles_server.stores.sqlite import store as sqlite_store
from tests.core.ledger.audit import numbers
from tests.simulation.agents import Agent, Process, finish
from tests.simulation.court import Court
from tests.simulation.disk import Here, SQLiteDisk
from tests.simulation.line import KilledError, Line, Wire
from tests.simulation.loop import VirtualLoop
from tests.simulation.operators import TENANTS, Operators
from tests.simulation.oracle import Oracle
from tests.simulation.report import Report
from tests.simulation.server import Disk, MemoryDisk, Server, WatchedMemory

AGENTS = [("acme", ["one", "two", "three"]), ("acme", ["four", "one"]), ("beta", ["one", "five"])]
EVERYTHING = 10_000
LATER_S = 3 * 24 * 3_600
"""Longer than any lease could have been extended to."""


class World:
    store = "memory"

    def __init__(self, seed: int, operations: int) -> None:
        self.report = Report(seed, self.store, operations)
        self.loop = VirtualLoop()
        self._operations = operations
        self._skew_ms = 0
        self._seed = seed
        self.court = Court(Oracle(SOME_DAY_MS), self.report.operations, self.report.answers)
        self.report.violations = self.court.violations
        self.server = Server(self._disk(), self.court)
        self.wire = Wire(self.server, self.court, self.rng("wire"), self.report.faults)
        self.chance = self.rng("chance")
        self.processes: list[Process] = []

    def rng(self, name: str) -> Random:
        return Random(f"{self._seed} {name}")

    def now_ms(self) -> int:
        """The clock of the server's machine, which people set."""
        return SOME_DAY_MS + int(self.loop.time() * 1_000) + self._skew_ms

    def _disk(self) -> Disk:
        store = WatchedMemory(self.now_ms, self.court, self.rng("store"), self.report.faults)
        return MemoryDisk(store)

    def is_over(self) -> bool:
        return self.court.judged >= self._operations or bool(self.court.violations)

    def fault(self, name: str) -> None:
        self.report.faults[name] = self.report.faults.get(name, 0) + 1

    # --- its story ---

    def run(self) -> Report:
        with self._made_up():
            try:
                self.loop.run_until_complete(self._live())
            except Exception as problem:  # noqa: BLE001 - it has a seed, so it can be seen again
                self.court.violations.append(f"the world ended: {problem!r}")
            finally:
                self.loop.close()
        return self.report

    async def _live(self) -> None:
        await self.server.start()
        operators = Operators(self.server, self.court, self.rng("operators"))
        await operators.open()
        for number, (tenant, names) in enumerate(AGENTS):
            self.processes.append(self._process(f"process {number}", tenant, names))
        for process in self.processes:
            process.start(self.is_over)
        others = [
            operators.work(self.is_over, partial(self.pause, 4.0)),
            self._sweep(),
            self._fate(),
        ]
        tasks = [self.loop.create_task(other) for other in others]
        await asyncio.gather(*tasks)
        for process in self.processes:
            await self._ended(process)
        await self._settle_down()

    def _process(self, name: str, tenant: str, names: list[str]) -> Process:
        memories: dict[str, list[Op[Any]]] = {agent: [] for agent in names}
        rng = self.rng(name)

        def start(agent: str) -> Agent:
            line = Line(self.wire, tenant)
            return Agent(agent, line, Random(rng.getrandbits(64)), memories[agent])

        return Process(names, start)

    async def _ended(self, process: Process) -> None:
        for end in await process.ended():
            self.court.violations.append(f"an agent ended with {end!r}")

    async def pause(self, at_most_s: float) -> None:
        wait = self.loop.create_future()
        self.loop.call_later(self.chance.random() * at_most_s, finish, wait)
        await wait

    # --- faults that come from nowhere ---

    async def _fate(self) -> None:
        """Somebody dies or sets the clock, now and then."""
        while not self.is_over():
            await self.pause(20.0)
            what = self.chance.random()
            if what < 0.25:
                await self._crash_the_server()
            elif what < 0.5:
                process = self.chance.choice(self.processes)
                self.fault("client crash")
                process.crash()
                await self._ended(process)
                process.start(self.is_over)
            else:
                self.fault("clock jump")
                jump_s = self.chance.choice([1, 1, 10, 10, 100, 7_200])
                self._skew_ms += self.chance.randrange(-jump_s, jump_s) * 1_000

    async def _crash_the_server(self) -> None:
        self.fault("server crash")
        self.server.crash()
        await self.pause(3.0)
        await self.server.start()
        await self.compare()

    async def _sweep(self) -> None:
        while not self.is_over():
            await self.pause(10.0)
            await self._sweep_once()

    async def _sweep_once(self) -> None:
        if not self.server.is_up:
            return
        oracle, starts = self.court.oracle, self.server.starts
        oracle.at(max(oracle.now, self.server.store.now_ms()))
        overdue = oracle.overdue()
        try:
            await self.server.sweeper.sweep_once()
        except (StoreError, KilledError):
            return  # busy, or gone
        if self.server.starts == starts and self.server.is_up:
            with self.court.hearing():
                left = [held for held in overdue if oracle.holds[held]["status"] == "ACTIVE"]
                assert not left, f"the sweeper left {left}"

    # --- what must be so in the end, and after each restart ---

    async def _settle_down(self) -> None:
        """Nobody asks any more: after the longest lease nothing is held."""
        if self.wire.tasks:
            await asyncio.wait(self.wire.tasks)
        self._skew_ms += LATER_S * 1_000
        while self.court.oracle.active() and not self.court.violations:
            await self._sweep_once()
            await self._repair()
        await self.compare()

    async def _repair(self) -> None:
        """A server whose disk failed takes no more writes until somebody starts it again."""
        try:
            await self.server.store.check()
        except StoreError:
            self.server.crash()
            await self.server.start()

    async def compare(self) -> None:
        """The whole store against the oracle."""
        store, oracle = self.server.store, self.court.oracle
        oracle.at(max(oracle.now, store.now_ms()))
        accounts = await store.accounts(None)
        with self.court.hearing():
            found = {(each.tenant, each.scope, str(each.unit)): each for each in accounts}
            assert found.keys() == oracle.budgets.keys(), f"there are {list(found)}"
            for key, account in found.items():
                assert numbers(account) == oracle.numbers(key), f"{account}"
                oracle.check(key)
        statuses: dict[str, ReservationStatus] = {}
        counted: dict[Any, int] = {}
        for tenant in TENANTS:
            rows = await store.reservations(ReservationQuery(tenant=tenant, limit=EVERYTHING))
            statuses |= {row.reservation_id: row.status for row in rows}
            counters = await store.counters(CounterQuery(tenant=tenant, limit=EVERYTHING))
            counted |= {
                (*each.key[1:4], str(each.window), each.bucket): each.used for each in counters
            }
        with self.court.hearing():
            expected = {held: hold["status"] for held, hold in oracle.holds.items()}
            assert statuses == expected, f"{set(statuses.items()) ^ set(expected.items())}"
            assert counted == oracle.counted(), f"{counted} instead of {oracle.counted()}"

    @contextmanager
    def _made_up(self) -> Iterator[None]:
        """Clocks and chance of the client, and of ids, follow the seed."""
        self.loop.set_exception_handler(self._unhandled)
        timing = partial(Timing, self.loop.time)
        lease = partial(Lease, clock=self.loop.time)
        with ExitStack() as made_up:
            made_up.enter_context(patch.object(guard, "Timing", timing))
            made_up.enter_context(patch.object(guard, "Lease", lease))
            made_up.enter_context(patch.object(ids, "_generator", self.rng("ids")))
            clock = SimpleNamespace(time_ns=lambda: self.now_ms() * 1_000_000)
            made_up.enter_context(patch.object(ids, "time", clock))
            log = logging.getLogger("runcycles")
            made_up.callback(log.setLevel, log.level)
            log.setLevel(logging.CRITICAL)
            yield

    def _unhandled(self, loop: object, context: dict[str, Any]) -> None:
        problem = context.get("exception")
        if not isinstance(problem, KilledError):
            self.court.violations.append(f"{context['message']}: {problem!r}")


class SQLiteWorld(World):
    """The same world over a file; its server may die between any two statements."""

    store = "sqlite"

    def __init__(self, seed: int, operations: int) -> None:
        super().__init__(seed, operations)
        self._sqlite.died = self.server.crash

    def _disk(self) -> Disk:
        self._sqlite = SQLiteDisk(
            self.now_ms,
            self.court,
            self.rng("store"),
            self.report.faults,
        )
        return self._sqlite

    async def _crash_the_server(self) -> None:
        self.fault("server crash")
        self._sqlite.steps_left = self.chance.randrange(40)
        await self.pause(2.0)
        if self.server.is_up:
            self.server.crash()
        await self.pause(3.0)
        await self.server.start()
        await self.compare()

    @contextmanager
    def _made_up(self) -> Iterator[None]:
        with (
            super()._made_up(),
            patch.object(sqlite_store, "open_writer", self._sqlite.connect),
            patch.object(reader, "ThreadPoolExecutor", Here),
            patch.object(checkpoints, "ThreadPoolExecutor", Here),
            patch.object(checkpoints, "EVERY", 100),
        ):
            try:
                yield
            finally:
                self._sqlite.close()


WORLDS: dict[str, type[World]] = {world.store: world for world in (World, SQLiteWorld)}


def simulate(seed: int, operations: int, store: str = "memory") -> Report:
    """Live through one world."""
    return WORLDS[store](seed, operations).run()
