"""Our errors as the SDK obeys them.

An `AgentsException` ends a run. Anything else becomes a `UserError`, or a text that the model reads
before it tries again. So whatever leaves this adapter is both: our error, with its class and its
fields, and an `AgentsException`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from agents import AgentsException

from runcycles import CyclesError
from runcycles.calls import AsyncCall

_inside_tool: ContextVar[list[CyclesError] | None] = ContextVar("runcycles_tool", default=None)


class RunStopped(AgentsException):
    """What every error of this adapter is besides its own class; `refused` is the plain error."""

    refused: CyclesError

    def __reduce__(self) -> tuple[Any, ...]:
        return (stopped, (self.refused,))


@cache
def _stopping(kind: Any) -> Any:
    return type(kind.__name__, (RunStopped, kind), {"__doc__": kind.__doc__})


def stopped(error: Any) -> CyclesError:
    """The same error of ours, as one that ends the run."""
    kind = _stopping(error.__class__)
    same: CyclesError = kind.__new__(kind, *error.args)
    same.__dict__.update(vars(error), run_data=None, refused=error)
    return same


@contextmanager
def stopping() -> Iterator[None]:
    """Around what we do: an error of ours ends the run, and the runs around it."""
    try:
        yield
    except RunStopped:
        raise
    except CyclesError as error:
        same = stopped(error)
        if (inside := _inside_tool.get()) is not None:
            inside.append(same)
        raise same from error.__cause__


@contextmanager
def escalating() -> Iterator[None]:
    """Around a tool: a refusal inside it is raised again where the SDK made a text of it.

    An agent used as a tool is a run of its own, whose errors its parent's model would only read.
    """
    outside, inside = _inside_tool.get(), list[CyclesError]()
    token = _inside_tool.set(inside)
    try:
        yield
    finally:
        _inside_tool.reset(token)
        if outside is not None:
            outside.extend(inside)
    if inside:
        raise inside[0]


@asynccontextmanager
async def settling(call: AsyncCall) -> AsyncIterator[None]:
    """Around a call that may run: settled once it ends, however that is."""
    try:
        yield
    except BaseException as error:
        await call.settle(error)
        raise
    with stopping():
        await call.settle()
