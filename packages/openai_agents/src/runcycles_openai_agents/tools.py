"""A tool that asks before it runs, outside of the SDK's handling of failures."""

from copy import copy
from functools import partial
from inspect import isawaitable
from typing import Any, TypeVar

from agents import CustomTool, FunctionTool

from runcycles import DeniedError
from runcycles.calls import CallGuards
from runcycles_openai_agents.options import Refusal, run_id
from runcycles_openai_agents.refusals import STOPPING, Settling, escalating

T = TypeVar("T", bound=FunctionTool | CustomTool)


class AsksFirst(partial[Any]):
    """What the SDK calls in place of something that is guarded; known by its class."""


def guarded_tool(tool: T, calls: CallGuards, refusal: Refusal, agent: str) -> T:
    """A copy of a tool that asks first."""
    guarded, name, marks = copy(tool), tool.name, marks_of(tool)
    invoke: Any = guarded.on_invoke_tool

    async def run(context: Any, arguments: str) -> Any:
        asking = getattr(getattr(context, "agent", None), "name", agent)
        with STOPPING:
            try:
                call = await calls.tool_async(name, *marks, agent=asking, run_id=run_id(context))
            except DeniedError as error:
                if refusal == "stop":
                    raise
                return f"The tool {name} did not run; it is not permitted: {error}"
        async with Settling(call):
            with escalating():
                result = invoke(context, arguments)
                call.guard.result = await result if isawaitable(result) else result
        return call.guard.result

    guarded.on_invoke_tool = AsksFirst(run)
    return guarded


def is_guarded(tool: object) -> bool:
    """Whether a tool asks already."""
    return isinstance(getattr(tool, "on_invoke_tool", None), AsksFirst)


def marks_of(tool: object) -> tuple[object, ...]:
    """What of a tool may carry `cycles_action`."""
    return (tool, getattr(tool, "__wrapped__", None))
