"""Do what a flow says: send its questions, wait its waits. Nothing else asks the authority."""

import logging
import time
from typing import Any, TypeVar

import anyio

from runcycles.errors import CyclesError
from runcycles.flows import Flow, Sleep, Step
from runcycles.transports import SENDING, AsyncTransport, Sending, Transport

R = TypeVar("R")
logger = logging.getLogger("runcycles")


def run(flow: Flow[R], transport: Transport, sending: Sending | None = None) -> R:
    """Run a flow in this thread; its waits block it."""
    token = SENDING.set(sending)
    try:
        step = next(flow)
        while True:
            answer: Any = None
            try:
                if isinstance(step, Sleep):
                    time.sleep(step.seconds)
                else:
                    answer = transport.send(step)
            except Exception as problem:  # noqa: BLE001 - the flow decides what an error means
                step = flow.throw(problem)
            else:
                step = flow.send(answer)
    except StopIteration as finished:
        result: R = finished.value
        return result
    finally:
        SENDING.reset(token)


async def run_async(flow: Flow[R], transport: AsyncTransport, sending: Sending | None = None) -> R:
    """Run a flow on this event loop. Cancelling it ends the flow where it stands."""
    token = SENDING.set(sending)
    try:
        step = next(flow)
        while True:
            try:
                answer = await _done(step, transport)
            except Exception as problem:  # noqa: BLE001 - the flow decides what an error means
                step = flow.throw(problem)
            else:
                step = flow.send(answer)
    except StopIteration as finished:
        result: R = finished.value
        return result
    finally:
        SENDING.reset(token)


def finish(flow: Flow[R], transport: Transport, sending: Sending) -> R:
    """Run a flow to its end although it is interrupted; the first Ctrl-C is passed on then."""
    cut_off: BaseException | None = None
    token = SENDING.set(sending)
    try:
        step = next(flow)
        while True:
            answer: Any = None
            try:
                if isinstance(step, Sleep):
                    time.sleep(step.seconds)
                else:
                    answer = transport.send(step)
            except Exception as problem:  # noqa: BLE001 - the flow decides what an error means
                step = flow.throw(problem)
            except BaseException as interrupted:
                if cut_off is not None:
                    raise
                cut_off = interrupted  # the same question once more, with its key
            else:
                step = flow.send(answer)
    except StopIteration as finished:
        result: R = finished.value
        if cut_off is not None:
            raise cut_off from None
        return result
    except CyclesError as problem:
        if cut_off is None:
            raise
        raise _noted(cut_off, problem) from problem
    finally:
        SENDING.reset(token)


async def finish_async(
    flow: Flow[R], transport: AsyncTransport, sending: Sending, *, within: float
) -> R:
    """Run a flow to its end although its task is cancelled; a cancellation is passed on then.

    After `within` seconds the flow is told so by a `TimeoutError`, and has to end.
    """
    cut_off: BaseException | None = None
    token = SENDING.set(sending)
    try:
        with anyio.move_on_after(within, shield=True) as scope:
            step = next(flow)
            while True:
                try:
                    answer = await _done(step, transport)
                except Exception as problem:  # noqa: BLE001 - the flow decides what it means
                    step = flow.throw(problem)
                except anyio.get_cancelled_exc_class() as cancelled:
                    if scope.cancel_called:
                        raise
                    cut_off = cancelled  # asyncio's own cancel() knows no shield: once more
                else:
                    step = flow.send(answer)
        flow.throw(TimeoutError(f"it took longer than {within:g} s"))
        raise AssertionError("a flow went on although its time was over")
    except StopIteration as finished:
        result: R = finished.value
        if cut_off is not None:
            raise cut_off from None
        return result
    except CyclesError as problem:
        if cut_off is None:
            raise
        raise _noted(cut_off, problem) from problem
    finally:
        SENDING.reset(token)


def _noted(cut_off: BaseException, problem: CyclesError) -> BaseException:
    """What cut us off, with what went wrong besides: the interruption has to arrive."""
    logger.error("%s", problem)
    cut_off.add_note(f"Cycles: {problem}")
    return cut_off


async def _done(step: Step, transport: AsyncTransport) -> Any:
    if isinstance(step, Sleep):
        return await anyio.sleep(step.seconds)
    return await transport.send(step)
