"""A server without sockets: the real authority over a store that is watched, and that may die.

A dead server's answers reach nobody. What its store has kept is there when it is started again.
"""

from collections.abc import Callable
from http import HTTPStatus
from random import Random
from typing import Any, Protocol, TypeVar, cast

from runcycles import wire
from runcycles.errors import CyclesProtocolError, Problem, StoreBusyError, StoreError
from runcycles.ledger.state import Key, Transition
from runcycles.ops import Op
from runcycles_server.authority import Authority
from runcycles_server.governance.operator import Operator
from runcycles_server.http.problems import store_failed, unexpected
from runcycles_server.stores.base import Store
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.sweeper import Sweeper
from tests.core.ledger.naive_words import Body
from tests.simulation.court import JUDGE, Court

T = TypeVar("T")
BUSY = 0.01


class Answer:
    """What goes over the wire."""

    __slots__ = ("body", "retry_after_ms", "status")

    def __init__(self, status: int, body: bytes, retry_after_ms: int | None = None) -> None:
        self.status = status
        self.body = body
        self.retry_after_ms = retry_after_ms


class Disk(Protocol):
    """Where a store lives, through every start and crash of the server."""

    def open(self) -> Store:
        """The store as the last crash has left it."""
        ...

    def crash(self) -> None:
        """The process that has it open is gone."""
        ...


class WatchedMemory(MemoryStore):
    """The memory store, sometimes busy."""

    def __init__(
        self, clock_ms: Callable[[], int], court: Court, rng: Random, faults: dict[str, int]
    ) -> None:
        super().__init__(clock_ms)
        self._court = court
        self._rng = rng
        self._faults = faults

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        if self._court.judged and self._rng.random() < BUSY:
            self._faults["store busy"] = self._faults.get("store busy", 0) + 1
            raise StoreBusyError("somebody else has the store")
        reply = await super().transact(footprint, self._court.watch(transition))
        self._court.kept()
        return reply


class MemoryDisk:
    """Memory that outlives its process, so that crashes can be tried without a file."""

    def __init__(self, store: WatchedMemory) -> None:
        self._store = store

    def open(self) -> Store:
        return self._store

    def crash(self) -> None:
        pass


class Server:
    """Answers while it is up."""

    def __init__(self, disk: Disk, court: Court) -> None:
        self._disk = disk
        self._court = court
        self.starts = 0
        self.is_up = False

    async def start(self) -> None:
        self.store = self._disk.open()
        await self.store.start()
        self.authority = Authority(self.store)
        self.operator = Operator(self.store)
        self.sweeper = Sweeper(self.store)
        self.starts += 1
        self.is_up = True

    def crash(self) -> None:
        """Nothing more is done, and nothing that was done but not kept is left."""
        self.is_up = False
        self._disk.crash()
        self._court.dropped()
        self._court.oracle.restarted()

    async def answer(
        self, op_type: type[Op[Any]], body: bytes, said: Body, reservation_id: str, tenant: str
    ) -> Answer:
        """What the HTTP endpoint would answer."""
        try:
            op: Any
            op, fingerprint = wire.read_body(op_type, body, reservation_id)
            JUDGE.set(self._court.question(op, said, tenant))
            reply = await self.authority.ask(
                op, tenant=tenant, fingerprint=fingerprint, extended=True
            )
        except CyclesProtocolError as refused:
            return _refusal(refused.problem)
        except StoreError:
            return _refusal(store_failed())
        except Exception as problem:  # noqa: BLE001 - a server that breaks is what we look for
            self._court.violations.append(f"{op_type.__name__} broke the server: {problem!r}")
            return _refusal(unexpected())
        return Answer(HTTPStatus.OK, reply.raw)


def _refusal(problem: Problem) -> Answer:
    body = wire.encode_problem(problem, request_id="r", trace_id="t")
    return Answer(problem.status, body, problem.retry_after_ms)


def parsed(answer: Answer, op: Op[T]) -> T:
    """The answer as the client reads it; raises where it is a refusal."""
    if answer.status == HTTPStatus.OK:
        return wire.decode_reply(op, HTTPStatus.OK, answer.body)
    problem = wire.decode_problem(answer.status, answer.body, retry_after_ms=answer.retry_after_ms)
    raise cast("Exception", wire.error_for(op, problem))
