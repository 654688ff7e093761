"""A tool that asks before each run of its body, however often CrewAI repeats that body."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from crewai.hooks.dispatch import InterceptionPoint, get_hooks, register
from crewai.hooks.tool_hooks import ToolCallHookContext
from crewai.tools.base_tool import BaseTool, Tool
from crewai.tools.tool_failure import ToolFailure
from crewai.utilities.string_utils import sanitize_tool_name
from pydantic import Field

from runcycles import ConfigurationError, CyclesError
from runcycles.asked import Asked
from runcycles_crewai.options import calls_of
from runcycles_crewai.refusals import RunningTool, remembered, running_tool, stopped

T = TypeVar("T", bound=BaseTool)


def guard_tool(
    tool: T,
    client_or_calls: Asked = None,
    *,
    agent: str | None = None,
    run_id: str | None = None,
    **options: Any,
) -> T:
    """A copy of a tool that reserves before and settles after each run of its body.

    Inside `cycles_crew` the tool is reserved here and not a second time. `agent` and `run_id` say
    who spends where no such block does; `options` are those of `runcycles.calls.CallGuards`.

    Raises:
        ConfigurationError: where this is no tool, is guarded already, or an option is wrong.
    """
    if not isinstance(tool, BaseTool):
        raise ConfigurationError(f"{tool!r} is no tool; make one of it with @tool or BaseTool")
    if is_guarded(tool):
        raise ConfigurationError(f"the tool {tool.name} is guarded already")
    calls = calls_of(client_or_calls, options)
    name, marked = sanitize_tool_name(tool.name), bodies(tool)

    @contextmanager
    def asking() -> Iterator[None]:
        around = running_tool.get() or RunningTool(None, agent, run_id)
        call = calls.tool(
            name, *marked, agent=agent or around.agent, run_id=run_id or around.run_id
        )
        try:
            yield
        except BaseException as error:
            call.settle(error)
            raise
        call.settle()

    copy = tool.model_copy()
    if isinstance(copy, Tool):
        copy.func = _guarded(copy.func, asking)
        return copy
    kind = type(tool)
    named = {name: _guarded(body, asking) for name, body in _methods(kind).items()}
    copy.__class__ = type(f"Guarded{kind.__name__}", (kind,), {"__module__": __name__, **named})
    return copy


class RefusedTool(ToolFailure):
    """What a refused body returns: an error would be repeated, and then read by the model.

    CrewAI remembers results of tools, but never a failure: the next call asks again.
    """

    refusal: Any = Field(exclude=True)


def is_guarded(tool: Any) -> bool:
    """Whether the tool's own body asks."""
    return any(getattr(body, "__cycles_guarded__", False) for body in bodies(tool))


def bodies(tool: Any) -> tuple[object, ...]:
    """The functions that a tool consists of, and on which its `cycles_action` may stand."""
    original = getattr(tool, "_original_tool", None) or tool
    return tuple(getattr(each, name, None) for each in (original, tool) for name in _BODIES)


_BODIES = ("func", "_run", "_arun")


def _methods(kind: type[BaseTool]) -> dict[str, Callable[..., Any]]:
    both = {name: getattr(kind, name) for name in _BODIES[1:]}
    return {name: body for name, body in both.items() if body is not getattr(BaseTool, name)}


def _guarded(body: Callable[..., Any], asking: Callable[[], Any]) -> Callable[..., Any]:
    @wraps(body)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            with asking():
                return body(*args, **kwargs)
        except CyclesError as error:
            return _refused(error)

    @wraps(body)
    async def guarded_async(*args: Any, **kwargs: Any) -> Any:
        try:
            with asking():
                return await body(*args, **kwargs)
        except CyclesError as error:
            return _refused(error)

    either: Callable[..., Any] = guarded_async if iscoroutinefunction(body) else guarded
    vars(either)["__cycles_guarded__"] = True
    return either


def _refused(error: CyclesError) -> RefusedTool:
    refusal = remembered(stopped(error))
    point = InterceptionPoint.POST_TOOL_CALL
    if running_tool.get() is None and _end_run not in get_hooks(point):
        register(point, _end_run)
    return RefusedTool(message=str(error), code="cycles_refused", refusal=refusal)


def _end_run(context: ToolCallHookContext) -> None:
    """A hook for tools that run outside of `cycles_crew`; it knows its own results only."""
    if isinstance(context.raw_tool_result, RefusedTool):
        raise context.raw_tool_result.refusal
