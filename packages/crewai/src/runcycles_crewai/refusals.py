"""Our errors as CrewAI obeys them.

A hook stops a call with `HookAborted` and nothing else: after any other exception CrewAI makes the
call all the same. So whatever leaves this adapter is both: our error, with its class and its
fields, and a `HookAborted`. What a tool does is the exception: CrewAI makes a text of every error
that leaves one, which is why a refusal in there is remembered, and raised again when it ends.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

from crewai.hooks.dispatch import HookAborted

from runcycles import CyclesError
from runcycles.calls import Call
from runcycles.stopping import StopsRun


class RunStopped(StopsRun, HookAborted):
    """What every error of this adapter is besides its own class; `refused` is the plain error."""

    def complete(self) -> None:
        """Add what CrewAI says about it."""
        self.reason, self.source = str(self), "cycles"


def stopped(error: BaseException) -> RunStopped:
    """The same error, as one that ends the run; what is not ours becomes ours."""
    if not isinstance(error, CyclesError):
        error = CyclesError(f"the call is not made, because asking for it failed: {error!r}")
    return RunStopped.of(error)


def failing_closed(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook whose every error stops the call."""

    @wraps(hook)
    def closed(*args: Any) -> Any:
        try:
            return hook(*args)
        except HookAborted:
            raise
        except Exception as error:
            raise remembered(stopped(error)) from error

    return closed


class RunningTool:
    """A tool that runs: its own call, who called it, and what was refused inside of it."""

    def __init__(self, arguments: object, agent: str | None, run_id: str | None) -> None:
        self.arguments = arguments
        self.agent = agent
        self.run_id = run_id
        self.call: Call | None = None
        self.refusal: RunStopped | None = None
        self.around = running_tool.get()


running_tool: ContextVar[RunningTool | None] = ContextVar("runcycles_tool", default=None)
"""The innermost tool around the running code."""


def remembered(refusal: RunStopped) -> RunStopped:
    """The refusal, which every tool around the running code now knows of."""
    tool = running_tool.get()
    while tool is not None:
        tool.refusal = tool.refusal or refusal
        tool = tool.around
    return refusal
