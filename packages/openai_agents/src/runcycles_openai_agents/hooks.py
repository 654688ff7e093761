"""`CyclesRunHooks`: the guard for runs whose agents, models and tools must stay as they are.

Hooks see where a call starts and where it ends, not what happens between. So they cannot set a
limit on a request, and they miss: agents used as tools (unless `as_tool(hooks=...)`), the retries
of the SDK and of the client, a model or settings given in the `RunConfig`, and the end of a call
that fails. What was left open is charged when the hooks are closed.
"""

from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from typing import Any

from agents import Agent, ModelResponse, RunContextWrapper, RunHooks, Tool
from agents.models import get_default_model

from runcycles import CyclesError, OnError
from runcycles.asked import Asked, calls_of
from runcycles.calls import DEFAULT_MAX_TOKENS, AsyncCall
from runcycles.open_guards import OpenGuards
from runcycles_openai_agents.models import CyclesModel
from runcycles_openai_agents.options import run_id
from runcycles_openai_agents.refusals import STOPPING
from runcycles_openai_agents.tools import is_guarded, marks_of
from runcycles_openai_agents.usage import request_of, usage_of

Run = RunContextWrapper[Any]


class CyclesRunHooks(RunHooks[Any], AbstractAsyncContextManager["CyclesRunHooks"]):
    """`async with CyclesRunHooks(client) as hooks: await Runner.run(agent, ..., hooks=hooks)`.

    Agents and tools that are guarded already are not asked for twice; where a
    `CyclesModelProvider` asks for the models, say `models=False`. `max_tokens` is the answer that
    is expected of an agent whose settings name no limit; other `options` are those of
    `runcycles.calls.CallGuards`. After `Runner.run_sync`, call `asyncio.run(hooks.aclose())`.
    """

    def __init__(
        self,
        client_or_calls: Asked = None,
        *,
        models: bool = True,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        **options: Any,
    ) -> None:
        self._calls = calls_of(client_or_calls, options)
        self._models = models
        self._max_tokens = max_tokens
        self._open: OpenGuards[AsyncCall] = OpenGuards()

    async def on_llm_start(
        self, context: Run, agent: Agent[Any], system_prompt: str | None, input_items: list[Any]
    ) -> None:
        """Reserve for a model call."""
        if not self._models or isinstance(agent.model, CyclesModel):
            return
        asked: dict[str, Any] = {"input": input_items, "tools": agent.tools}
        asked |= {"system_instructions": system_prompt, "model_settings": agent.model_settings}
        request = request_of(agent.model or get_default_model(), asked)
        most = request.max_tokens or self._max_tokens
        with STOPPING:
            self._open.check_room()
            call = await self._calls.model_async(
                replace(request, max_tokens=most), agent=agent.name, run_id=run_id()
            )
            if call.max_tokens is not None and call.max_tokens < most:
                problem = CyclesError(f"hooks cannot limit an answer to {call.max_tokens} tokens")
                await call.guard.settle(problem, on_error=OnError.RELEASE)
                raise problem
            await self._end(("model", context))  # an earlier one, whose end got lost
            self._open.add(("model", context), call)

    async def on_llm_end(self, context: Run, agent: Agent[Any], response: ModelResponse) -> None:
        """Settle it with what was used."""
        await self._end(("model", context), response.usage)

    async def on_tool_start(self, context: Run, agent: Agent[Any], tool: Tool) -> None:
        """Reserve for a tool call."""
        if is_guarded(tool):
            return
        with STOPPING:
            self._open.check_room()
            call = await self._calls.tool_async(
                tool.name, *marks_of(tool), agent=agent.name, run_id=run_id(context)
            )
            await self._end((tool.name, context))
            self._open.add((tool.name, context), call)

    async def on_tool_end(self, context: Run, agent: Agent[Any], tool: Tool, result: Any) -> None:
        """Settle it."""
        await self._end((tool.name, context))

    async def aclose(self, error: BaseException | None = None) -> None:
        """Settle what was left open; `error` is what left the run."""
        async with AsyncExitStack() as every:
            for call in self._open.take_run(None):
                every.push_async_callback(call.settle, error)

    async def __aexit__(self, *raised: Any) -> None:
        await self.aclose(raised[1])

    async def _end(self, key: Hashable, used: Any = None) -> None:
        if (call := self._open.take(key)) is not None:
            call.used(usage_of(used))
            with STOPPING:
                await call.settle()
