"""The line between clients and the server: questions and answers get lost, late, twice, reordered.

It is the transport of the real client, so everything above it is real. What an answer promises is
looked up at the moment it is delivered: the oracle has to know of it already.
"""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, TypeVar

from runcycles import wire
from runcycles.errors import CyclesTransportError
from runcycles.ops import Allowed, Commit, Committed, Op, Recorded, Release, Released, Reserve
from runcycles.transports import SENDING
from runcycles.transports.base import AsyncTransport, Transport
from tests.simulation.court import Court
from tests.simulation.oracle import Oracle
from tests.simulation.server import Answer, Server, parsed

R = TypeVar("R")
TIMEOUT_S = 5.0
FATES = {"request lost": 0.02, "reply lost": 0.02, "twice": 0.03, "late": 0.02}


class KilledError(BaseException):
    """The process that ran this is gone."""


class Wire:
    """Every line to one server."""

    def __init__(self, server: Server, court: Court, rng: Random, faults: dict[str, int]) -> None:
        self.server = server
        self.court = court
        self.rng = rng
        self.faults = faults
        self.tasks: set[asyncio.Task[None]] = set()
        self.fates = FATES

    def fate(self) -> str:
        chance = self.rng.random()
        for name, share in self.fates.items():
            if chance < share:
                self.faults[name] = self.faults.get(name, 0) + 1
                return name
            chance -= share
        return ""

    def latency(self) -> float:
        return self.rng.random() ** 3 * 0.2

    def arrive(self, question: Callable[[], Any], replied: Callable[[Answer], None] | None) -> None:
        """A question reaches the server, if one is there; its answer may leave again."""
        server, starts = self.server, self.server.starts
        if not server.is_up:
            return

        async def serve() -> None:
            answer = await question()
            if replied is not None and server.is_up and server.starts == starts:
                replied(answer)

        task = asyncio.get_running_loop().create_task(serve())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


class Line:
    """One client process's way to the server, for one tenant; a `LocalAuthority`."""

    def __init__(self, wire: Wire, tenant: str) -> None:
        self.wire = wire
        self.tenant = tenant
        self.is_cut = False

    def transport(self) -> Transport:
        raise AssertionError("the simulation is async")

    def async_transport(self) -> AsyncTransport:
        return self

    async def aclose(self) -> None:
        pass

    async def send(self, op: Op[R]) -> R:
        """The answer, whatever happens on the way; a dead process gets and asks nothing."""
        if self.is_cut:
            raise KilledError
        sending = SENDING.get()
        wait_s = min(TIMEOUT_S, (sending and sending.timeout) or TIMEOUT_S)
        reply: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        hung_up = loop.call_later(wait_s, _give_up, reply)
        self._ask(loop, op, reply)
        try:
            answer = await reply
        finally:
            hung_up.cancel()
        if self.is_cut:
            raise KilledError
        value = parsed(answer, op)
        with self.wire.court.hearing():
            check_promise(self.wire.court.oracle, op, value)
        return value

    def _ask(
        self, loop: asyncio.AbstractEventLoop, op: Op[Any], reply: "asyncio.Future[Answer]"
    ) -> None:
        line, body = self.wire, wire.encode_body(op) or b""
        held = getattr(op, "reservation_id", "")
        said = json.loads(body)
        question = partial(line.server.answer, type(op), body, said, held, self.tenant)

        def replied(answer: Answer) -> None:
            loop.call_later(line.latency(), _deliver, reply, answer)

        fate = line.fate()
        delay = line.latency() + (line.rng.random() * 20 if fate == "late" else 0)
        if fate != "request lost":
            loop.call_later(delay, line.arrive, question, None if fate == "reply lost" else replied)
        if fate == "twice":
            loop.call_later(line.rng.random() * 30, line.arrive, question, replied)


def _give_up(reply: "asyncio.Future[Answer]") -> None:
    if not reply.done():
        reply.set_exception(CyclesTransportError("no answer came"))


def _deliver(reply: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not reply.done():
        reply.set_result(answer)


def check_promise(oracle: Oracle, op: Op[Any], value: Any) -> None:
    """What was acknowledged is so, on the word of whoever kept it."""
    match op, value:
        case Reserve(), Allowed(reservation_id=str(hold_id)):
            assert hold_id in oracle.holds, f"the hold {hold_id} was promised, not kept"
        case Commit(), Committed():
            status = oracle.holds[op.reservation_id]["status"]
            assert status == "COMMITTED", f"{op} was acknowledged, it is {status}"
        case Release(), Released():
            status = oracle.holds[op.reservation_id]["status"]
            assert status == "RELEASED", f"{op} was acknowledged, it is {status}"
        case _, Recorded(event_id=event_id):
            assert event_id in oracle.events, f"the event {event_id} was promised, not kept"
        case _:
            pass
