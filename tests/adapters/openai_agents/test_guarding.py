"""What `guard(agent)` reaches: what the agent has, what it is given later, whom it asks."""

import copy
from typing import Any

import pytest
from agents import (
    Agent,
    CustomTool,
    Handoff,
    ModelSettings,
    Runner,
    RunState,
    ShellTool,
    WebSearchTool,
    function_tool,
    handoff,
)
from agents.mcp import MCPServer
from mcp import types as mcp

from runcycles import BudgetExceededError, set_default_client, tokens, usd
from runcycles.adapter_suite import MODEL
from runcycles.calls import CallGuards
from runcycles.tool_actions import ToolAction
from runcycles_openai_agents import CyclesRunHooks, guard
from tests.adapters.openai_agents.engine import finished
from tests.adapters.openai_agents.stage import Stage, calls, stage

DEAR = ToolAction(estimate=usd(100))


@function_tool
def look_up() -> str:
    """Look it up."""
    return "found"


def names(it: Stage) -> list[str]:
    return [each.action.name for each in it.reservations]


# ── the agent itself ─────────────────────────────────────────────────────────────────────────


async def test_guarding_twice_does_nothing() -> None:
    with stage(calls("look_up"), "done") as it:
        agent = guard(it.agent(tools=[look_up]), it.client)
        assert guard(agent, it.client) is agent
        await finished(agent)
        assert names(it) == [MODEL, "look_up", MODEL]


async def test_a_guarded_agent_is_still_what_it_was() -> None:
    class Special(Agent[Any]):
        """An agent of the user's own class."""

    with stage() as it:
        agent = Special(name="special", model=it.models().get_model(MODEL))
        assert guard(agent, it.client) is agent
        assert isinstance(agent, Special)
        assert type(agent).__name__ == "Special"
        assert await finished(agent) == "hello"


async def test_tools_that_several_agents_share_are_not_changed() -> None:
    tools: list[Any] = [look_up]
    with stage(calls("look_up"), "done") as it:
        guard(it.agent(tools=tools), it.client)
        assert tools == [look_up]
        other = it.agent(tools=tools)
        await finished(other)
        assert names(it) == []


async def test_what_is_assigned_later_is_guarded() -> None:
    with stage(calls("look_up"), calls("transfer_to_helper"), "done") as it:
        agent = guard(it.agent(), it.client)
        agent.model = it.models().get_model(MODEL)
        agent.tools = [look_up]
        agent.handoffs = [it.agent("helper")]
        await finished(agent)
        assert names(it) == [MODEL, "look_up", MODEL, MODEL]


async def test_what_is_appended_later_is_guarded() -> None:
    with stage(calls("look_up"), calls("transfer_to_helper"), "done") as it:
        agent = guard(it.agent(), it.client)
        agent.tools.append(look_up)
        agent.handoffs.append(it.agent("helper"))
        await finished(agent)
        assert names(it) == [MODEL, "look_up", MODEL, MODEL]


async def test_clones_are_guarded_and_spend_under_their_own_name() -> None:
    with stage(calls("look_up"), "done") as it:
        agent = guard(it.agent("one", tools=[look_up]), it.client)
        other = agent.clone(name="two", model=it.models().get_model(MODEL), instructions="Hm.")
        await finished(other)
        spenders = [(each.action.name, each.subject.agent) for each in it.reservations]
        assert spenders == [(MODEL, "two"), ("look_up", "two"), (MODEL, "two")]


@pytest.mark.parametrize("model", [None, "gpt-5.1", MODEL])
async def test_clones_keep_the_settings_of_their_model(model: str | None) -> None:
    with stage() as it:
        plain = Agent[Any](name="a", model=model)
        guarded = guard(Agent[Any](name="a", model=model), it.client)
        assert guarded.clone(name="b").model_settings == plain.clone(name="b").model_settings
        own = ModelSettings(temperature=0.5)
        assert guarded.clone(model_settings=own).model_settings == own


async def test_copies_are_guarded() -> None:
    with stage() as it:
        await finished(copy.copy(guard(it.agent(), it.client)))
        assert names(it) == [MODEL]


async def test_guards_may_be_made_once_and_shared() -> None:
    with stage(budget=tokens(1_000_000)) as it:
        guards = CallGuards(it.client, unit="TOKENS")  # type: ignore[arg-type]  # a str enum
        one, two = (guard(it.agent(name), guards) for name in ("one", "two"))
        assert type(one) is type(two)
        await finished(one)
        await finished(two)
        assert [each.subject.agent for each in it.reservations] == ["one", "two"]


async def test_without_a_client_the_default_one_is_asked() -> None:
    with stage() as it:
        set_default_client(it.client)
        try:
            await finished(guard(it.agent()))
        finally:
            set_default_client(None)
        assert names(it) == [MODEL]


# ── tools ────────────────────────────────────────────────────────────────────────────────────


async def test_tools_of_mcp_servers_are_guarded() -> None:
    with stage(calls("remember"), "done") as it:
        server = Memory()
        agent = guard(it.agent(mcp_servers=[server]), it.client)
        await finished(agent)
        assert names(it) == [MODEL, "remember", MODEL]
        assert server.called == ["remember"]


@pytest.mark.parametrize("refusal", ["stop", "tell_model"])
async def test_a_refused_tool_of_an_mcp_server_does_not_run(refusal: Any) -> None:
    with stage(calls("remember"), "done") as it:
        server = Memory()
        agent = it.agent()
        guard(agent, it.client, refusal=refusal, tools={"remember": DEAR})
        agent.mcp_servers.append(server)
        if refusal == "stop":
            with pytest.raises(BudgetExceededError):
                await finished(agent)
        else:
            assert await finished(agent) == "done"
        assert server.called == []


async def test_tools_with_a_text_for_input_are_guarded() -> None:
    ran: list[str] = []

    def note(context: Any, text: str) -> str:
        ran.append(text)
        return "noted"

    tool = CustomTool(name="note", description="Note it.", on_invoke_tool=note)
    with stage() as it:
        agent = guard(it.agent(tools=[tool]), it.client)
        guarded = agent.tools[0]
        assert isinstance(guarded, CustomTool)
        assert await guarded.on_invoke_tool(None, "a text") == "noted"  # type: ignore[arg-type]  # no run
        assert (ran, names(it)) == (["a text"], ["note"])


async def test_an_approval_comes_before_the_reservation() -> None:
    @function_tool(needs_approval=True)
    def send() -> str:
        """Send it."""
        return "sent"

    with stage(calls("send"), "done") as it:
        agent = guard(it.agent(tools=[send]), it.client)
        result = await Runner.run(agent, "Hi")
        assert names(it) == [MODEL]
        state = result.to_state()
        state.approve(result.interruptions[0])
        result = await Runner.run(agent, state)
        assert result.final_output == "done"
        assert names(it) == [MODEL, "send", MODEL]


async def test_a_run_can_be_resumed_in_another_process() -> None:
    @function_tool(needs_approval=True)
    def send() -> str:
        """Send it."""
        return "sent"

    with stage(calls("send"), "done") as it:
        result = await Runner.run(guard(it.agent(tools=[send]), it.client), "Hi")
        there = guard(it.agent(tools=[send]), it.client)
        state = await RunState.from_json(there, result.to_state().to_json())
        state.approve(state.get_interruptions()[0])
        assert (await Runner.run(there, state)).final_output == "done"
        assert names(it) == [MODEL, "send", MODEL]


async def test_hosted_tools_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    with stage() as it:
        search = WebSearchTool()
        agent = guard(it.agent(tools=[search]), it.client)
        assert agent.tools == [search]
        await finished(agent)
        assert names(it) == [MODEL]
        assert caplog.text == ""


async def test_tools_that_only_hooks_can_stop_are_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with stage() as it:
        guard(it.agent("ops", tools=[ShellTool(executor=str)]), it.client)
        assert "only CyclesRunHooks can guard shell of ops" in caplog.text


# ── other agents ─────────────────────────────────────────────────────────────────────────────


async def test_agents_that_hand_over_to_each_other_are_guarded() -> None:
    with stage(calls("transfer_to_two"), calls("transfer_to_one"), "done") as it:
        one, two = it.agent("one"), it.agent("two")
        one.handoffs.append(two)
        two.handoffs.append(handoff(one))
        await finished(guard(one, it.client))
        assert [each.subject.agent for each in it.reservations] == ["one", "two", "one"]


async def test_an_agent_that_only_a_handoff_knows_is_guarded_when_it_takes_over() -> None:
    with stage(calls("pass_on"), "done") as it:
        hidden = it.agent("hidden")

        async def choose(context: Any, arguments: str) -> Agent[Any]:
            return hidden

        unknown: Handoff[Any, Any] = Handoff(
            tool_name="pass_on",
            tool_description="Pass it on.",
            input_json_schema={"type": "object", "properties": {}},
            on_invoke_handoff=choose,
            agent_name="hidden",
        )
        agent = guard(it.agent(handoffs=[unknown]), it.client)
        await finished(agent)
        assert [each.subject.agent for each in it.reservations] == ["writer", "hidden"]
        await finished(agent)
        assert unknown.on_invoke_handoff is choose


async def test_a_refusal_deep_inside_stops_all_agents_around_it() -> None:
    with stage(calls("middle"), calls("inner"), calls("dear"), "done") as it:
        dear = function_tool(name_override="dear")(lambda: "never")
        inner = it.agent("inner", tools=[dear]).as_tool("inner", "Ask.")
        middle = it.agent("middle", tools=[inner]).as_tool("middle", "Ask.")
        agent = guard(it.agent("outer", tools=[middle]), it.client, tools={"dear": DEAR})
        with pytest.raises(BudgetExceededError):
            await finished(agent)
        assert (it.requests, it.is_settled) == (3, True)


async def test_a_refusal_that_a_tool_catches_stops_the_run_all_the_same() -> None:
    with stage(calls("ask"), calls("dear"), "done") as it:
        dear = function_tool(name_override="dear")(lambda: "never")
        helper = guard(it.agent("helper", tools=[dear]), it.client, tools={"dear": DEAR})

        @function_tool
        async def ask() -> str:
            """Ask the helper, and never mind what happens."""
            try:
                return await finished(helper)
            except BudgetExceededError:
                return "never mind"

        with pytest.raises(BudgetExceededError):
            await finished(guard(it.agent("lead", tools=[ask]), it.client))
        assert (it.requests, it.is_settled) == (2, True)


async def test_an_agent_that_a_tool_runs_is_only_seen_if_it_is_guarded_itself() -> None:
    with stage(calls("ask"), "from the helper", "done") as it:
        helper = it.agent("helper")

        @function_tool
        async def ask() -> str:
            """Ask the helper."""
            return await finished(helper)

        await finished(guard(it.agent("lead", tools=[ask]), it.client))
        assert (it.requests, names(it)) == (3, [MODEL, "ask", MODEL])


async def test_a_refusal_that_is_told_inside_does_not_stop_those_around_it() -> None:
    with stage(calls("ask"), calls("dear"), "then not", "done") as it:
        dear = function_tool(name_override="dear")(lambda: "never")
        helper = it.agent("helper", tools=[dear]).as_tool("ask", "Ask.")
        agent = it.agent("lead", tools=[helper])
        guard(agent, it.client, tools={"dear": DEAR}, refusal="tell_model")
        assert await finished(agent) == "done"


# ── hooks beside ─────────────────────────────────────────────────────────────────────────────


async def test_hooks_do_not_ask_again_for_what_is_guarded() -> None:
    with stage(calls("look_up"), "done") as it:
        agent = guard(it.agent(tools=[look_up]), it.client)
        async with CyclesRunHooks(it.client) as hooks:
            await finished(agent, hooks=hooks)
        assert names(it) == [MODEL, "look_up", MODEL]


class Memory(MCPServer):
    """An MCP server with one tool, inside this process."""

    def __init__(self) -> None:
        super().__init__()
        self.called: list[str] = []

    @property
    def name(self) -> str:
        return "memory"

    async def connect(self) -> None:
        raise NotImplementedError

    async def cleanup(self) -> None:
        raise NotImplementedError

    async def list_tools(self, *given: Any, **named: Any) -> list[mcp.Tool]:
        schema = {"type": "object", "properties": {}}
        return [mcp.Tool.model_validate({"name": "remember", "inputSchema": schema})]

    async def call_tool(self, tool_name: str, *given: Any, **named: Any) -> mcp.CallToolResult:
        self.called.append(tool_name)
        return mcp.CallToolResult(content=[mcp.TextContent(type="text", text="remembered")])

    async def list_prompts(self) -> mcp.ListPromptsResult:
        raise NotImplementedError

    async def get_prompt(self, *given: Any, **named: Any) -> mcp.GetPromptResult:
        raise NotImplementedError
