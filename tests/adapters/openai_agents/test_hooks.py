"""What hooks stop, what they only see, and what they cannot see."""

import asyncio
from typing import Any

import openai
import pytest
from agents import (
    Agent,
    Model,
    ModelResponse,
    ModelRetrySettings,
    ModelSettings,
    RetryDecision,
    RunConfig,
    ShellTool,
    Usage,
    function_tool,
)
from openai.types.responses import ResponseFunctionShellToolCall

from runcycles import BudgetExceededError, Caps, CyclesError, usd
from runcycles.adapter_suite import MODEL
from runcycles.testing.model_server import Reply
from runcycles.tool_actions import ToolAction
from runcycles_openai_agents import CyclesModelProvider, CyclesRunHooks, RunStopped, guard
from tests.adapters.openai_agents.engine import finished, finished_sync
from tests.adapters.openai_agents.stage import calls, stage, was_estimated, was_released
from tests.adapters.openai_agents.test_charges import COST, REPLY
from tests.adapters.openai_agents.test_guarding import DEAR, Memory, look_up, names


async def test_hooks_charge_what_a_call_used() -> None:
    with stage(REPLY) as it:
        async with CyclesRunHooks(it.client) as hooks:
            await finished(it.agent(), hooks=hooks)
        assert (it.spent, it.is_settled) == (COST, True)
        assert it.model_call().subject.agent == "writer"


async def test_hooks_and_a_provider_share_the_work() -> None:
    with stage(calls("look_up"), "done") as it:
        config = RunConfig(model_provider=CyclesModelProvider(it.client, it.models()))
        agent = Agent[Any](name="a", model=MODEL, tools=[look_up])
        async with CyclesRunHooks(it.client, models=False) as hooks:
            await finished(agent, hooks=hooks, run_config=config)
        assert names(it) == [MODEL, "look_up", MODEL]


async def test_hooks_stop_the_tools_of_mcp_servers() -> None:
    with stage(calls("remember"), "done") as it:
        server = Memory()
        agent = it.agent(mcp_servers=[server])
        async with CyclesRunHooks(it.client, tools={"remember": DEAR}) as hooks:
            with pytest.raises(BudgetExceededError):
                await finished(agent, hooks=hooks)
        assert server.called == []


class Shelling(Model):
    """A model that wants a command to be run."""

    model = MODEL

    async def get_response(self, *given: Any, **named: Any) -> ModelResponse:
        command = ResponseFunctionShellToolCall.model_validate(
            {
                "id": "sh_1",
                "call_id": "call_1",
                "type": "shell_call",
                "status": "completed",
                "action": {"commands": ["rm -r"], "max_output_length": None, "timeout_ms": None},
                "environment": None,
            }
        )
        return ModelResponse(output=[command], usage=Usage(), response_id=None)

    def stream_response(self, *given: Any, **named: Any) -> Any:
        raise NotImplementedError


async def test_hooks_stop_the_shell_and_guarded_agents_alone_do_not() -> None:
    ran: list[Any] = []

    def execute(request: Any) -> str:
        ran.append(request)
        return "ran"

    shell = ShellTool(executor=execute)

    with stage() as it:
        agent = guard(it.agent(model=Shelling(), tools=[shell]), it.client, max_tokens=16)
        async with CyclesRunHooks(it.client, tools={"shell": DEAR}) as hooks:
            with pytest.raises(BudgetExceededError):
                await finished(agent, hooks=hooks)
        assert ran == []
        with pytest.raises(Exception, match="turns"):
            await finished(agent, max_turns=1)
        assert len(ran) == 1


async def test_hooks_do_not_see_agents_used_as_tools() -> None:
    with stage(calls("ask"), "from the helper", "done") as it:
        lead = it.agent("lead", tools=[it.agent("helper").as_tool("ask", "Ask.")])
        async with CyclesRunHooks(it.client) as hooks:
            await finished(lead, hooks=hooks)
        assert (it.requests, names(it)) == (3, [MODEL, "ask", MODEL])


async def test_with_hooks_of_its_own_such_an_agent_is_stopped_but_its_parent_reads_on() -> None:
    with stage(calls("ask"), calls("dear"), "read on") as it:
        dear = function_tool(name_override="dear")(lambda: "never")
        async with CyclesRunHooks(it.client, tools={"dear": DEAR}) as hooks:
            helper = it.agent("helper", tools=[dear]).as_tool("ask", "Ask.", hooks=hooks)
            lead = it.agent("lead", tools=[helper])
            assert await finished(lead, hooks=hooks) == "read on"
        assert names(it) == [MODEL, "ask", MODEL, MODEL]


async def test_hooks_see_one_call_where_the_sdk_tries_several_times() -> None:
    policy = ModelRetrySettings(max_retries=3, policy=lambda _: RetryDecision(retry=True, delay=0))
    with stage(faults=["500@1", "500@2"]) as it:
        agent = it.agent(model_settings=ModelSettings(retry=policy))
        async with CyclesRunHooks(it.client) as hooks:
            await finished(agent, hooks=hooks)
        assert (it.requests, names(it)) == (3, [MODEL])


async def test_hooks_cannot_limit_an_answer_so_what_caps_it_is_refused() -> None:
    with stage(caps=Caps(max_tokens=99)) as it:
        async with CyclesRunHooks(it.client) as hooks:
            with pytest.raises(CyclesError, match="cannot limit an answer to 99") as caught:
                await finished(it.agent(), hooks=hooks)
            assert isinstance(caught.value, RunStopped)
            assert was_released(it.model_call())
            assert it.requests == 0
            within = it.agent(model_settings=ModelSettings(max_tokens=99))
            assert await finished(within, hooks=hooks) == "hello"


async def test_hooks_price_the_agent_s_model_whatever_the_run_config_says() -> None:
    with stage() as it:
        config = RunConfig(model=it.models().get_model("another"))
        async with CyclesRunHooks(it.client) as hooks:
            await finished(it.agent(), hooks=hooks, run_config=config)
        assert names(it) == [MODEL]


async def test_the_default_model_is_priced_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_DEFAULT_MODEL", MODEL)
    with stage() as it:
        async with CyclesRunHooks(it.client) as hooks:
            await finished(
                Agent(name="a"), hooks=hooks, run_config=RunConfig(model_provider=it.models())
            )
        assert names(it) == [MODEL]


# ── ends that get lost ───────────────────────────────────────────────────────────────────────


async def test_a_model_that_fails_has_no_end_until_the_hooks_are_closed() -> None:
    with stage(faults=["500@*"]) as it:
        hooks = CyclesRunHooks(it.client)
        with pytest.raises(openai.APIStatusError):
            await finished(it.agent(), hooks=hooks)
        assert not it.is_settled
        await hooks.aclose()
        assert was_estimated(it.model_call())


async def test_what_left_the_run_says_how_it_is_settled() -> None:
    with stage(faults=["500@*"]) as it:
        with pytest.raises(openai.APIStatusError):
            async with CyclesRunHooks(it.client) as hooks:
                await finished(it.agent(), hooks=hooks)
        assert was_released(it.model_call())


async def test_a_tool_that_is_cancelled_has_no_end_until_the_hooks_are_closed() -> None:
    begun = asyncio.Event()

    @function_tool
    async def slow() -> str:
        """Take for ever."""
        begun.set()
        await asyncio.Event().wait()
        return "never"

    with stage(calls("slow")) as it:
        async with CyclesRunHooks(it.client) as hooks:
            run = asyncio.create_task(finished(it.agent(tools=[slow]), hooks=hooks))
            await asyncio.wait_for(begun.wait(), 5)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            assert not it.is_settled
        assert was_estimated(*it.of("slow"))
        assert it.is_settled


async def test_closing_settles_everything_although_one_charge_is_not_taken() -> None:
    with stage(faults=["500@*"]) as it:
        hooks = CyclesRunHooks(it.client)
        for _ in range(2):
            with pytest.raises(openai.APIStatusError):
                await finished(it.agent(), hooks=hooks)
        it.authority.refuses_commits = True
        with pytest.raises(CyclesError):
            await hooks.aclose()
        await hooks.aclose()


def test_after_run_sync_the_hooks_are_closed_by_hand() -> None:
    with stage(Reply(text="hello"), faults=["500@2"]) as it:
        hooks = CyclesRunHooks(it.client)
        assert finished_sync(it.agent(), hooks=hooks) == "hello"
        with pytest.raises(openai.APIStatusError):
            finished_sync(it.agent(), hooks=hooks)
        asyncio.run(hooks.aclose())
        assert it.is_settled


async def test_a_mapped_tool_is_charged_by_hooks_too() -> None:
    with stage(calls("look_up"), "done") as it:
        priced = {"look_up": ToolAction(kind="web.search", estimate=usd("0.01"))}
        async with CyclesRunHooks(it.client, tools=priced) as hooks:
            await finished(it.agent(tools=[look_up]), hooks=hooks)
        (tool,) = it.of("look_up")
        assert (tool.action.kind, tool.charged) == ("web.search", 1_000_000)
