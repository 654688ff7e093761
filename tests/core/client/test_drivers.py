import time
from typing import Any

import anyio
import pytest

from runcycles import Released, tokens
from runcycles.drivers import finish, finish_async, run, run_async
from runcycles.errors import CyclesTransportError
from runcycles.flows import Flow, Sleep
from runcycles.ops import Release
from runcycles.transports import SENDING, Sending

RELEASE = Release(idempotency_key="k", reservation_id="r1")
RELEASED = Released(released=tokens(1))


class Answering:
    """Answers everything, or fails with everything, and remembers under which trace."""

    def __init__(self, answer: Any = RELEASED) -> None:
        self.answer = answer
        self.traces: list[str | None] = []

    def send(self, op: Any) -> Any:
        sending = SENDING.get()
        self.traces.append(sending.trace_id if sending else None)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        """Nothing is open."""


class AsyncAnswering(Answering):
    async def send(self, op: Any) -> Any:
        return super().send(op)

    async def aclose(self) -> None:
        """Nothing is open."""


def patient(waits: list[str]) -> Flow[str]:
    """Waits, asks, and says how it went."""
    waits.append("before")
    yield Sleep(0.001)
    waits.append("after")
    try:
        yield RELEASE
    except CyclesTransportError as lost:
        return str(lost)
    return "answered"


def test_a_flow_is_run_to_its_result_waits_included() -> None:
    waits: list[str] = []
    started = time.monotonic()
    assert run(patient(waits), Answering(), Sending("ab" * 16)) == "answered"
    assert time.monotonic() - started >= 0.001
    assert waits == ["before", "after"]
    assert finish(patient([]), Answering(), Sending("k")) == "answered"


async def test_an_async_flow_is_run_to_its_result_waits_included() -> None:
    assert await run_async(patient([]), AsyncAnswering()) == "answered"
    assert await finish_async(patient([]), AsyncAnswering(), Sending("k"), within=5) == "answered"


async def test_an_error_is_the_flows_to_handle() -> None:
    lost = CyclesTransportError("gone")
    assert run(patient([]), Answering(lost)) == "gone"
    assert finish(patient([]), Answering(lost), Sending("k")) == "gone"
    assert await run_async(patient([]), AsyncAnswering(lost)) == "gone"
    assert await finish_async(patient([]), AsyncAnswering(lost), Sending("k"), within=5) == "gone"


async def test_a_flow_that_handles_no_error_raises_it() -> None:
    def simple() -> Flow[Any]:
        return (yield RELEASE)

    lost = CyclesTransportError("gone")
    with pytest.raises(CyclesTransportError):
        run(simple(), Answering(lost))
    with pytest.raises(CyclesTransportError):
        finish(simple(), Answering(lost), Sending("k"))
    with pytest.raises(CyclesTransportError):
        await run_async(simple(), AsyncAnswering(lost))
    with pytest.raises(CyclesTransportError):
        await finish_async(simple(), AsyncAnswering(lost), Sending("k"), within=5)


async def test_all_questions_of_a_flow_share_its_trace_and_nothing_else_does() -> None:
    def twice() -> Flow[None]:
        yield RELEASE
        yield RELEASE

    line, async_line = Answering(), AsyncAnswering()
    run(twice(), line, Sending("ab" * 16))
    await run_async(twice(), async_line, Sending("ab" * 16))
    assert line.traces == async_line.traces == ["ab" * 16] * 2
    assert SENDING.get() is None


async def test_a_flow_has_to_end_when_its_time_is_over() -> None:
    def stubborn() -> Flow[None]:
        try:
            yield Sleep(60)
        except TimeoutError:
            yield RELEASE

    with anyio.fail_after(5), pytest.raises(AssertionError, match="went on"):
        await finish_async(stubborn(), AsyncAnswering(), Sending("k"), within=0.001)
