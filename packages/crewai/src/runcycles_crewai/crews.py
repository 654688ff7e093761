"""Everything that runs inside a block asks before each model call and each tool call.

CrewAI tells of a call in two ways. Hooks can stop it, but not every call runs them. Events tell of
every call of CrewAI's own LLMs, with its id and its usage, and they are told on the spot, in the
caller's context, to the sinks of that context. Both are used, and neither is global: what another
thread or task does outside of the block is not touched.
"""

import sys
from contextlib import ExitStack, suppress
from contextvars import ContextVar
from typing import Any, Self

from crewai.events.stream_context import add_stream_sink, reset_stream_sinks
from crewai.events.types import llm_events as told
from crewai.hooks.dispatch import HookAborted, InterceptionPoint, get_scoped_hooks, scoped_hooks
from crewai.hooks.llm_hooks import LLMCallHookContext
from crewai.hooks.tool_hooks import ToolCallHookContext

from runcycles import CyclesError
from runcycles.asked import Asked
from runcycles.calls import Call, CallGuards
from runcycles.ids import new_id
from runcycles.open_guards import OpenGuards
from runcycles.settlement import OnError
from runcycles_crewai.limits import drop_limit, hold_limit
from runcycles_crewai.options import calls_of
from runcycles_crewai.refusals import RunningTool, failing_closed, running_tool, stopped
from runcycles_crewai.tools import bodies, is_guarded
from runcycles_crewai.usage import request_of, usage_of


def cycles_crew(
    client_or_calls: Asked = None, *, run_id: str | None = None, **options: Any
) -> "CrewGuard":
    """Guard every model and tool call of the crews, agents and flows that run inside the block.

    `run_id` groups the calls of the block; `options` are those of `runcycles.calls.CallGuards`.

    Raises:
        ConfigurationError: where nobody can be asked, or for a wrong option.
    """
    return CrewGuard(calls_of(client_or_calls, options), run_id or new_id())


class _OpenCall:
    """A call that has been reserved. `llm` is None for a tool."""

    def __init__(self, call: Call, llm: Any = None) -> None:
        self.call = call
        self.llm = llm
        self.is_checked = False
        self.is_over = False
        self.around: BaseException | None = None
        if call.max_tokens is not None:
            hold_limit(llm, call.max_tokens)

    def settle(self, error: BaseException | None = None) -> None:
        """End it; `error` is what left the call."""
        self.is_over = True
        if self.call.max_tokens is not None:
            drop_limit(self.llm, self.call.max_tokens)
        if HookAborted in {*type(error).__mro__, *type(getattr(error, "__cause__", None)).__mro__}:
            self.call.guard.settle(error, on_error=OnError.RELEASE)
        else:
            self.call.settle(error)


_block: ContextVar["CrewGuard | None"] = ContextVar("runcycles_crew", default=None)
_latest: ContextVar[_OpenCall | None] = ContextVar("runcycles_model_call", default=None)


class CrewGuard:
    """The block that `cycles_crew` makes; enter it once, with `with`, in sync and async code."""

    def __init__(self, calls: CallGuards, run_id: str) -> None:
        self.run_id = run_id
        self._calls = calls
        self._open: OpenGuards[_OpenCall] = OpenGuards()
        self._is_left = False
        self._exits = ExitStack()
        self._hooks = {
            InterceptionPoint.PRE_MODEL_CALL: self._inside(self._before_model),
            InterceptionPoint.POST_MODEL_CALL: self._inside(self._after_model),
            InterceptionPoint.PRE_TOOL_CALL: self._inside(self._before_tool),
            InterceptionPoint.POST_TOOL_CALL: self._inside(self._after_tool),
        }

    def __enter__(self) -> Self:
        if self._is_left or _block.get() is self:
            raise RuntimeError("a block is entered once; make another for the next run")
        hooks = {point: get_scoped_hooks(point) for point in InterceptionPoint}
        for point, hook in self._hooks.items():
            hooks[point].append(hook)
        self._exits.callback(_block.reset, _block.set(self))
        self._exits.callback(reset_stream_sinks, add_stream_sink(self._inside(self._on_event)))
        self._exits.enter_context(scoped_hooks(hooks))
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._is_left = True  # what goes on in the background is refused from here on
        with suppress(ValueError):  # left in another context, which has none of ours to take back
            self._exits.close()
        for left in self._open.take_run(self):
            try:
                left.settle()
            except CyclesError as problem:
                if error is None:
                    error = stopped(problem)
                else:
                    error.add_note(f"Cycles: {problem}")
        if kind is None and error is not None:
            raise error

    def _inside(self, hook: Any) -> Any:
        """A hook of this block: where another one is the innermost, that one asks."""

        def inside(*args: Any) -> None:
            if _block.get() is self:
                hook(*args)

        return failing_closed(inside)

    # ── models ───────────────────────────────────────────────────────────────────────────────

    def _on_event(self, source: Any, event: Any) -> None:
        """What CrewAI's own LLMs tell: each call's beginning, and its end, sometimes twice."""
        if isinstance(event, told.LLMCallStartedEvent):
            self._started(source, event)
        elif isinstance(event, told.LLMCallCompletedEvent):
            if ended := self._open.take(event.call_id):
                ended.call.used(usage_of(event.usage))
                ended.settle()
        elif isinstance(event, told.LLMCallFailedEvent) and (
            failed := self._open.take(event.call_id)
        ):
            failed.settle(_cause_of(event, failed))

    def _started(self, llm: Any, event: told.LLMCallStartedEvent) -> None:
        if any(hook not in get_scoped_hooks(point) for point, hook in self._hooks.items()):
            raise CyclesError(
                "scoped_hooks() inside of cycles_crew() hides its hooks; swap the two"
            )
        self._settle(event.call_id)
        asked = _latest.get()
        call = self._open.take(asked) if asked is not None and asked.llm is llm else None
        if call is None:
            call = self._reserve(llm, event.messages, event.tools, event.agent_role)
        call.around = sys.exception()
        self._open.add(event.call_id, call, run=self)
        _latest.set(call)

    def _before_model(self, context: LLMCallHookContext) -> None:
        """Runs before the event where an agent calls, and after it where nobody does."""
        latest, llm = _latest.get(), context.llm
        if context.executor is not None:
            tools = getattr(context.executor, "tools", ())
            call = self._reserve(llm, context.messages, tools, _role(context))
            call.is_checked = True
            self._open.add(call, call, run=self)
            _latest.set(call)
        elif latest is None or latest.llm is not llm or latest.is_over or latest.is_checked:
            # a client is used directly, and nobody will tell of its end
            self._reserve(llm, context.messages, (), _role(context)).settle()
        else:
            latest.is_checked = True

    def _reserve(self, llm: Any, messages: Any, tools: Any, agent: str | None) -> _OpenCall:
        self._check_entered()
        request = request_of(llm, messages, tools)
        return _OpenCall(self._calls.model(request, agent=agent, run_id=self.run_id), llm)

    def _after_model(self, context: LLMCallHookContext) -> None:
        """Charge a call whose end nobody told, because its LLM announces nothing."""
        self._settle(_latest.get())

    def _settle(self, key: object) -> None:
        if open_call := self._open.take(key):
            open_call.settle()

    # ── tools ────────────────────────────────────────────────────────────────────────────────

    def _before_tool(self, context: ToolCallHookContext) -> None:
        tool = RunningTool(context.tool_input, _role(context), self.run_id)
        running_tool.set(tool)
        self._check_entered()
        if not is_guarded(context.tool):
            name, marked = context.tool_name, bodies(context.tool)
            call = self._calls.tool(name, *marked, agent=tool.agent, run_id=self.run_id)
            self._open.add(tool, _OpenCall(call), run=self)

    def _after_tool(self, context: ToolCallHookContext) -> None:
        """Runs after a refused tool as well: only from here does a refusal end the run."""
        tool = running_tool.get()
        while tool is not None and tool.arguments is not context.tool_input:
            tool = tool.around
        if tool is None:
            return
        running_tool.set(tool.around)
        self._settle(tool)
        if tool.refusal is not None:
            raise tool.refusal

    def _check_entered(self) -> None:
        if self._is_left:
            raise CyclesError("the block of cycles_crew() was left; nothing new starts in it")
        self._open.check_room()


def _role(context: LLMCallHookContext | ToolCallHookContext) -> str | None:
    role = getattr(context.agent, "role", None)
    return role if isinstance(role, str) else None


def _cause_of(event: told.LLMCallFailedEvent, call: _OpenCall) -> BaseException:
    """The error that is being handled while the event is told, unless that is another one's."""
    error = sys.exception()
    if error is None or error is call.around or event.error.startswith("Error executing function"):
        return RuntimeError(event.error)
    return error
