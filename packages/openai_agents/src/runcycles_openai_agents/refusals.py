"""Our errors as the SDK obeys them.

An `AgentsException` ends a run. Anything else becomes a `UserError`, or a text that the model reads
before it tries again. So whatever leaves this adapter is both: our error, with its class and its
fields, and an `AgentsException`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from agents import AgentsException

from runcycles import CyclesError
from runcycles.calls import AsyncCall
from runcycles.stopping import Stopping, StopsRun

_inside_tool: ContextVar[list[StopsRun] | None] = ContextVar("runcycles_tool", default=None)


class RunStopped(StopsRun, AgentsException):
    """What every error of this adapter is besides its own class; `refused` is the plain error."""

    def complete(self) -> None:
        """Add what the SDK fills in when the error leaves a run."""
        self.run_data = None


class _Stopping(Stopping):
    """An error of ours ends the run, and the runs around it."""

    def stopped(self, error: CyclesError) -> StopsRun:
        same = super().stopped(error)
        if (inside := _inside_tool.get()) is not None:
            inside.append(same)
        return same


STOPPING: Final = _Stopping(RunStopped)


@contextmanager
def escalating() -> Iterator[None]:
    """Around a tool: a refusal inside it is raised again where the SDK made a text of it.

    An agent used as a tool is a run of its own, whose errors its parent's model would only read.
    """
    outside, inside = _inside_tool.get(), list[StopsRun]()
    token = _inside_tool.set(inside)
    try:
        yield
    finally:
        _inside_tool.reset(token)
        if outside is not None:
            outside.extend(inside)
    if inside:
        raise inside[0]


class Settling:
    """Around a call that may run: settled once it ends, however that is."""

    def __init__(self, call: AsyncCall) -> None:
        self._call = call

    async def __aenter__(self) -> None:
        """Nothing is done before."""

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            await self._call.settle(error)
            return
        with STOPPING:
            await self._call.settle()
