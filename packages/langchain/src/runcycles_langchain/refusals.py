"""Our errors as LangGraph obeys them.

Middleware that retries or falls back, and nodes that run tools, make another attempt or a text for
the model of an exception. A `GraphBubbleUp` they leave alone. So whatever leaves this adapter is
both: our error, with its class and its fields, and a `GraphBubbleUp`.
"""

from typing import Any, Final

from runcycles import OnError
from runcycles.calls import BaseCall
from runcycles.stopping import Stopping, StopsRun

try:
    from langgraph.errors import GraphBubbleUp, GraphInterrupt
except ImportError:  # langchain-core alone: there is no graph that could catch anything
    GraphBubbleUp = Exception  # type: ignore[misc,assignment]  # stands in
    GraphInterrupt = type("Never", (Exception,), {})  # type: ignore[misc,assignment]  # stands in


class RunStopped(StopsRun, GraphBubbleUp):
    """What every error of this adapter is besides its own class; `refused` is the plain error."""


STOPPING: Final = Stopping(RunStopped)


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
