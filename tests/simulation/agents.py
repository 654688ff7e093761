"""What agents do all day: guarded calls inside each other, retries, and questions by hand.

They use the real client. Afterwards each looks at what became of its calls: one that was settled
was charged once, as much as it used; one that was denied never ran.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from runcycles import AsyncCyclesClient, CyclesConfig
from runcycles.connection import Connection
from runcycles.drivers import run_async
from runcycles.errors import CyclesError, DeniedError, SettlementRefusedError
from runcycles.heartbeat import Heartbeat, Lease
from runcycles.ops import Allowed, Decide, Op, Record, Reserve
from runcycles.types import Action, ObserveMode, OveragePolicy, PolicyKeys, Subject, tokens
from tests.simulation.line import KilledError, Line

KINDS = ["message.email.send"] * 3 + ["message.sms.send", "db.query", "llm.completion"]
POLICIES = [None] * 6 + list(OveragePolicy)
REMEMBERED = 30


class ToolError(Exception):
    """What the guarded code may raise."""


class Beats(Heartbeat):
    """The real leases, extended on the virtual loop instead of in threads."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(lambda: connection.transport)
        self._connection = connection
        self._due: dict[Lease, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, lease: Lease) -> None:
        self._come_at(lease, lease.due)

    def forget(self, lease: Lease) -> None:
        lease.is_over = True
        if (handle := self._due.pop(lease, None)) is not None:
            handle.cancel()

    def close(self) -> None:
        for lease in list(self._due):
            self.forget(lease)
        for task in self._tasks:
            task.cancel()

    def _come_at(self, lease: Lease, when: float) -> None:
        loop = asyncio.get_running_loop()
        self._due[lease] = loop.call_at(when, self._start, lease)

    def _start(self, lease: Lease) -> None:
        task = asyncio.get_running_loop().create_task(self._beat(lease))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _beat(self, lease: Lease) -> None:
        transport = self._connection.async_transport
        due = await run_async(lease.beat(), transport, lease.sending)
        if due is not None and not lease.is_over:
            self._come_at(lease, due)


class Agent:
    """One agent of a client process, with the memory of its last intentions."""

    def __init__(self, name: str, line: Line, rng: Random, memory: list[Op[Any]]) -> None:
        self.name = name
        self.rng = rng
        self.line = line
        self.memory = memory
        self.client = AsyncCyclesClient(
            CyclesConfig(base_url="embedded:", tenant=line.tenant, agent=name), authority=line
        )
        self.client.connection.heartbeat = Beats(self.client.connection)
        self.runs = 0

    async def work(self, is_over: Callable[[], bool]) -> None:
        """One thing after the other."""
        doings = [self.call] * 12 + [self.by_hand] * 4 + [self.ask] * 2 + [self.again] * 3
        while not is_over():
            self.runs += self.rng.random() < 0.1
            with suppress(CyclesError):  # what it means for the ledger is the oracle's business
                await self.rng.choice(doings)()
            await self.pause(1.0)

    async def pause(self, at_most_s: float) -> None:
        loop = asyncio.get_running_loop()
        wait = loop.create_future()
        loop.call_later(self.rng.random() * at_most_s, finish, wait)
        await wait

    # --- guarded calls ---

    async def call(self, depth: int = 0) -> None:
        """A guarded call, with others inside now and then; sometimes cancelled from outside."""
        if self.rng.random() < 0.05:
            try:
                async with asyncio.timeout(self.rng.random() * 2):
                    await self._guarded(depth)
            except TimeoutError:
                pass
        else:
            await self._guarded(depth)

    async def _guarded(self, depth: int) -> None:
        rng = self.rng
        estimate = rng.randrange(20)
        used = None if rng.random() < 0.1 else rng.randrange(25 if rng.random() < 0.2 else 20)
        fails = rng.random() < 0.1
        key = f"{self.name}-{rng.getrandbits(64):x}"
        guard = self.client.guard(
            **self._question(),
            estimate=tokens(estimate),
            ttl_ms=rng.choice([None, 1_000, 5_000, 60_000]),
            grace_period_ms=rng.choice([None, None, 0, 1_000]),
            overage_policy=rng.choice(POLICIES),
            idempotency_key=key,
        )
        try:
            async with guard as spend:
                await self.pause(20.0 if rng.random() < 0.1 else 1.0)
                if depth < 2 and rng.random() < 0.2:
                    await self.call(depth + 1)
                if used is not None:
                    spend.record(used)
                self._use_a_tool(fails=fails)
        except DeniedError:  # this one, or one inside that was not caught
            self._check_charge(key, None, ())
        except ToolError:
            self._check_charge(key, None if used is None else (0, used), (0, 1))
        except SettlementRefusedError:
            pass
        else:
            self._check_charge(key, (estimate if used is None else used,), (1,))

    def _use_a_tool(self, *, fails: bool) -> None:
        if fails:
            raise ToolError

    def _check_charge(
        self, key: str, amounts: tuple[int, ...] | None, times: tuple[int, ...]
    ) -> None:
        """What one call was charged: so many times, and one of these amounts."""
        court = self.line.wire.court
        with court.hearing():
            charges = court.oracle.charges.get((self.line.tenant, key), [])
            if amounts is None:
                assert not charges, f"{key} failed without use, and was charged {charges}"
                return
            assert len(charges) in times, f"{key} was charged {len(charges)} times"
            for charge in charges:
                assert charge["asked"] in amounts, f"{key} used {amounts}, was charged {charge}"

    def _question(self) -> dict[str, Any]:
        rng = self.rng
        subject = Subject(
            tenant=self.line.tenant,
            workspace=rng.choice([None, None, "dev"]),
            agent=rng.choice([self.name, self.name, "shared"]),
            dimensions={"run_id": f"{self.name}-{self.runs}"} if rng.random() < 0.95 else None,
        )
        host = rng.choice([None, "a.com", "b.com"])
        action = Action(kind=rng.choice(KINDS), name="x", policy_keys=PolicyKeys(host=host))
        return {"subject": subject, "action": action}

    # --- by hand ---

    async def by_hand(self) -> None:
        """Reserve, then do with the hold whatever comes to mind, more than once."""
        rng, client = self.rng, self.client
        asked = self._question() | {"estimate": tokens(rng.randrange(15))}
        held = await client.reserve(**asked, ttl_ms=rng.choice([1_000, 30_000]))
        if not isinstance(held, Allowed) or held.reservation_id is None:
            return
        hold, key = held.reservation_id, f"{self.name}-{rng.getrandbits(64):x}"
        settle: list[Callable[[], Any]] = [
            partial(client.commit, hold, actual=tokens(rng.randrange(20)), idempotency_key=key),
            partial(client.release, hold, idempotency_key=key),
            partial(client.extend, hold, rng.randrange(1, 5_000)),
        ]
        for _ in range(rng.randrange(4)):
            await self.pause(2.0)
            await rng.choice(settle)()

    async def ask(self) -> None:
        """Questions that hold nothing, and spend that nobody held."""
        key, amount = f"{self.name}-{self.rng.getrandbits(64):x}", tokens(self.rng.randrange(15))
        asked: dict[str, Any] = self._question() | {"idempotency_key": key}
        op: Op[Any] = self.rng.choice(
            [
                Decide(**asked, estimate=amount),
                Reserve(**asked, estimate=amount, dry_run=True),
                Reserve(**asked, estimate=amount, observe_mode=ObserveMode.OBSERVE),
                Reserve(**asked, estimate=amount, ttl_ms=2_000),
                Record(**asked, actual=amount, overage_policy=self.rng.choice(POLICIES)),
            ]
        )
        self.memory.append(op)
        del self.memory[:-REMEMBERED]
        await self.line.send(op)

    async def again(self) -> None:
        """A question from before, perhaps from before a crash; or another under its key."""
        if not self.memory:
            return
        op: Any = self.rng.choice(self.memory)
        if self.rng.random() < 0.1:
            op = replace(op, action=replace(op.action, name="another"))
        await self.line.send(op)


def finish(wait: "asyncio.Future[None]") -> None:
    if not wait.done():  # whoever waited may be gone
        wait.set_result(None)


class Process:
    """Some agents that live and die together; what they remember is on their disk."""

    def __init__(self, names: list[str], start: Callable[[str], Agent]) -> None:
        self._names = names
        self._start = start
        self.agents: list[Agent] = []
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, is_over: Callable[[], bool]) -> None:
        self.agents = [self._start(name) for name in self._names]
        loop = asyncio.get_running_loop()
        self.tasks = [loop.create_task(agent.work(is_over)) for agent in self.agents]

    def crash(self) -> None:
        """Everything it was doing ends where it is; nothing more is sent."""
        for agent in self.agents:
            agent.line.is_cut = True
            agent.client.connection.heartbeat.close()
        for task in self.tasks:
            task.cancel()

    async def ended(self) -> list[BaseException]:
        """What its agents ended with, apart from a crash."""
        found = await asyncio.gather(*self.tasks, return_exceptions=True)
        ordinary = (KilledError, asyncio.CancelledError)
        for agent in self.agents:
            agent.client.connection.heartbeat.close()
        return [end for end in found if end is not None and not isinstance(end, ordinary)]
