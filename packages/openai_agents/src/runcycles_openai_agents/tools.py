"""A tool that asks before it runs, outside of the SDK's handling of failures."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, TypeVar

from agents import CustomTool, FunctionTool

from runcycles import DeniedError
from runcycles.calls import CallGuards
from runcycles_openai_agents.options import Refusal, run_id
from runcycles_openai_agents.refusals import escalating, settling, stopping, told

T = TypeVar("T", bound=FunctionTool | CustomTool)


@dataclass(frozen=True, slots=True)
class GuardedInvoke:
    """What the SDK calls in place of a tool."""

    calls: CallGuards
    refusal: Refusal
    agent: str
    name: str
    marked: tuple[object, ...]
    invoke: Callable[[Any, str], Any]

    async def __call__(self, context: Any, arguments: str) -> Any:
        """Ask, then let the tool run."""
        agent = getattr(getattr(context, "agent", None), "name", self.agent)
        with stopping():
            try:
                call = await self.calls.tool_async(
                    self.name, *self.marked, agent=agent, run_id=run_id(context)
                )
            except DeniedError as error:
                if self.refusal == "stop":
                    raise
                return told(self.name, error)
        async with settling(call):
            with escalating():
                result = self.invoke(context, arguments)
                call.guard.result = await result if isawaitable(result) else result
        return call.guard.result


def guarded_tool(tool: T, calls: CallGuards, refusal: Refusal, agent: str) -> T:
    """A copy of a tool that asks first."""
    guarded = copy(tool)
    guarded.on_invoke_tool = GuardedInvoke(
        calls, refusal, agent, tool.name, marks_of(tool), guarded.on_invoke_tool
    )
    return guarded


def is_guarded(tool: object) -> bool:
    """Whether a tool asks already."""
    return isinstance(getattr(tool, "on_invoke_tool", None), GuardedInvoke)


def marks_of(tool: object) -> tuple[object, ...]:
    """What of a tool may carry `cycles_action`."""
    return (tool, getattr(tool, "__wrapped__", None))
