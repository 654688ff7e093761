"""Our errors as LangGraph obeys them.

Middleware that retries or falls back, and nodes that run tools, make another attempt or a text for
the model of an exception. A `GraphBubbleUp` they leave alone. So whatever leaves this adapter is
both: our error, with its class and its fields, and a `GraphBubbleUp`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from runcycles import CyclesError, OnError
from runcycles.calls import BaseCall

try:
    from langgraph.errors import GraphBubbleUp, GraphInterrupt
except ImportError:  # langchain-core alone: there is no graph that could catch anything
    GraphBubbleUp = Exception  # type: ignore[misc,assignment]  # stands in
    GraphInterrupt = type("Never", (Exception,), {})  # type: ignore[misc,assignment]  # stands in


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
    is_pause = isinstance(error, GraphInterrupt)
    return call.guard.settle(error, on_error=OnError.RELEASE) if is_pause else call.settle(error)


class Settling:
    """Around what was permitted: settled however it ends. For sync and async calls alike."""

    def __init__(self, call: BaseCall[Any]) -> None:
        self.call = call

    def __enter__(self) -> BaseCall[Any]:
        return self.call

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        end(self.call, error)

    async def __aenter__(self) -> BaseCall[Any]:
        return self.call

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await end(self.call, error)
