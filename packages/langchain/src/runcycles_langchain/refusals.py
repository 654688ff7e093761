"""Our errors as LangGraph obeys them.

Middleware that retries or falls back, and nodes that run tools, make another attempt or a text for
the model of an exception. A `GraphBubbleUp` they leave alone. So whatever leaves this adapter is
both: our error, with its class and its fields, and a `GraphBubbleUp`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any

from runcycles import CyclesError, OnError
from runcycles.calls import AsyncCall, Call

try:
    from langgraph.errors import GraphBubbleUp, GraphInterrupt
except ImportError:  # langchain-core alone: there is no graph that could catch anything
    GraphBubbleUp = type("GraphBubbleUp", (Exception,), {})  # type: ignore[misc,assignment]
    GraphInterrupt = type("GraphInterrupt", (GraphBubbleUp,), {})  # type: ignore[misc,assignment]


class RunStopped(GraphBubbleUp):
    """What every error of this adapter is besides its own class; `refused` is the plain error."""

    refused: CyclesError

    def __reduce__(self) -> tuple[Any, ...]:
        return (stopped, (self.refused,))


@cache
def _stopping(kind: Any) -> Any:
    return type(kind.__name__, (RunStopped, kind), {"__doc__": kind.__doc__})


def stopped(error: CyclesError) -> CyclesError:
    """The same error, as one that ends the run."""
    plain: Any = type(error)
    kind = _stopping(plain)
    same: CyclesError = kind.__new__(kind, *error.args)
    same.__dict__.update(vars(error), refused=error)
    return same


@contextmanager
def stopping() -> Iterator[None]:
    """Around what we do: an error of ours ends the run."""
    try:
        yield
    except RunStopped:
        raise
    except CyclesError as error:
        raise stopped(error) from error.__cause__


def end(call: Any, error: BaseException | None) -> Any:
    """Settle a call that this left; of an async call, what is to be awaited.

    A tool that asks a person has not run: it starts anew when the answer is there.
    """
    if isinstance(error, GraphInterrupt):
        return call.guard.settle(error, on_error=OnError.RELEASE)
    return call.settle(error)


@contextmanager
def settling(call: Call) -> Iterator[Call]:
    """Around what was permitted: settled however it ends."""
    try:
        yield call
    except BaseException as error:
        end(call, error)
        raise
    call.settle()


@asynccontextmanager
async def settling_async(call: AsyncCall) -> AsyncIterator[AsyncCall]:
    """`settling` for async code."""
    try:
        yield call
    except BaseException as error:
        await end(call, error)
        raise
    await call.settle()
