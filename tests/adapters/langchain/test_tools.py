"""What a guarded tool asks before it runs, and that it stays the tool it was."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from runcycles import ActionDeniedError, Caps, ConfigurationError, usd
from runcycles.actions import UNMAPPED
from runcycles.tool_actions import ToolAction, cycles_action
from runcycles_langchain import CyclesMiddleware, RunStopped, guard_model, guard_tools
from tests.adapters.langchain.stage import (
    NOTHING,
    Capped,
    Stage,
    ask,
    calls,
    stage,
    was_estimated,
    was_released,
)

MAIL = ToolAction(kind="message.email.send", toolset="mail", estimate=usd("0.01"))


def send(to: str) -> str:
    """Send a mail."""
    return f"sent to {to}"


@cycles_action("payment.refund", estimate=usd("0.02"))
def refund(amount: int) -> str:
    """Pay something back."""
    return f"paid {amount}"


def only(tools: list[BaseTool]) -> BaseTool:
    (one,) = tools
    return one


def guarded(it: Stage, given: Any, **options: Any) -> BaseTool:
    return only(guard_tools([given], it.client, **options))


# ── what is asked and charged ────────────────────────────────────────────────────────────────


def test_a_mapped_tool_is_named_and_charged_by_its_mapping() -> None:
    with stage() as it:
        assert guarded(it, send, tools={"send": MAIL}).invoke({"to": "me"}) == "sent to me"
        (call,) = it.of("send")
        assert (call.action.kind, call.subject.toolset) == ("message.email.send", "mail")
        assert (call.charged, it.is_settled) == (usd("0.01").amount, True)


async def test_a_tool_may_carry_its_action_itself() -> None:
    with stage() as it:
        for given in (refund, tool(refund)):
            assert await guarded(it, given).ainvoke({"amount": 5}) == "paid 5"
        assert [call.action.kind for call in it.of("refund")] == ["payment.refund"] * 2
        assert it.spent == 2 * usd("0.02").amount


def test_a_tool_that_nobody_has_mapped_is_an_unknown_call_of_no_cost() -> None:
    with stage() as it:
        guarded(it, send).invoke({"to": "me"})
        (call,) = it.of("send")
        assert (call.action.kind, call.charged) == (UNMAPPED, 0)


def test_tools_that_nobody_has_mapped_may_be_given_an_action() -> None:
    with stage() as it:
        guarded(it, send, unmapped=MAIL).invoke({"to": "me"})
        assert it.spent == usd("0.01").amount


@pytest.mark.parametrize("error", [RuntimeError, ToolException])
def test_a_tool_that_raises_is_charged_for_it_may_have_acted(error: type[Exception]) -> None:
    def fail() -> str:
        """Fail."""
        raise error("broken")

    with stage() as it:
        with pytest.raises(error, match="broken"):
            guarded(it, fail, unmapped=MAIL).invoke({})
        (call,) = it.of("fail")
        assert was_estimated(call)


def test_a_refused_tool_does_not_run_sync_or_async() -> None:
    ran = []

    def act() -> str:
        """Act."""
        ran.append("act")
        return "acted"

    with stage(budget=NOTHING) as it:
        refused = guarded(it, act, unmapped=MAIL)
        with pytest.raises(RunStopped):
            refused.invoke({})
        assert ran == []


async def test_a_refused_tool_does_not_run_when_it_is_awaited() -> None:
    ran = []

    async def act() -> str:
        """Act."""
        ran.append("act")
        return "acted"

    with stage(budget=NOTHING) as it:
        refused = guarded(it, StructuredTool.from_function(coroutine=act), unmapped=MAIL)
        with pytest.raises(RunStopped):
            await refused.ainvoke({})
        assert ran == []


def test_a_tool_that_waits_for_a_person_is_charged_once_when_it_goes_on() -> None:
    sent = []

    def ask_and_send(to: str) -> str:
        """Send a mail that a person has approved."""
        if interrupt("may I?") == "yes":
            sent.append(to)
        return "sent"

    with stage(calls("ask_and_send", to="me"), "done") as it:
        agent = create_agent(
            guard_model(it.model(), it.client),
            guard_tools([ask_and_send], it.client, unmapped=MAIL),
            checkpointer=InMemorySaver(),
        )
        config = {"configurable": {"thread_id": "thread 1"}}
        ask(agent, **config)
        (waiting,) = it.of("ask_and_send")
        assert (was_released(waiting), sent) == (True, [])
        ask(agent, Command(resume="yes"), **config)
        _, going_on = it.of("ask_and_send")
        assert (going_on.charged, sent) == (usd("0.01").amount, ["me"])
        assert {call.subject.dimensions["run_id"] for call in it.reservations} == {"thread 1"}  # type: ignore[index]  # every one of them has a run


def test_caps_that_rule_a_tool_out_refuse_it() -> None:
    with stage() as it:
        capped = Capped(it.authority, Caps(tool_denylist=("send",)))
        client = type(it.client)(authority=capped)
        with pytest.raises(ActionDeniedError) as caught:
            only(guard_tools([send], client)).invoke({"to": "me"})
        assert isinstance(caught.value, RunStopped)
        (call,) = it.of("send")
        assert was_released(call)


# ── it stays the tool it was ─────────────────────────────────────────────────────────────────


class Search(BaseTool):
    """A tool of its own class, whose arguments are read from its method."""

    name: str = "search"
    description: str = "Search."

    def _run(self, query: str, run_manager: Any = None) -> str:
        return f"{query} {run_manager is not None}"


def test_a_guarded_tool_is_the_tool_it_was() -> None:
    with stage() as it:
        plain = Search()
        search = guarded(it, plain)
        assert isinstance(search, Search)
        assert search.args == plain.args == {"query": {"title": "Query", "type": "string"}}
        assert search.invoke({"query": "x"}) == "x True"
        assert guarded(it, search) is search
        assert plain.invoke({"query": "nobody asks for this one"})
        assert len(it.reservations) == 1


async def test_a_tool_of_its_own_class_that_is_only_sync_is_asked_for_once_when_awaited() -> None:
    with stage() as it:
        assert await guarded(it, Search()).ainvoke({"query": "x"}) == "x True"
        assert len(it.of("search")) == 1


def test_what_the_framework_hands_to_a_tool_still_arrives() -> None:
    @tool(response_format="content_and_artifact")
    def look(runtime: ToolRuntime, config: RunnableConfig) -> tuple[str, int]:
        """Look."""
        return f"{len(runtime.state['messages'])} {bool(config)}", 42

    with stage(calls("look"), "done") as it:
        tools = guard_tools([look], it.client)
        agent = create_agent(guard_model(it.model(), it.client), tools)
        messages = ask(agent)
        (answer,) = [each for each in messages if isinstance(each, ToolMessage)]
        assert (answer.content, answer.artifact) == ("2 True", 42)
        assert len(it.of("look")) == 1


@pytest.mark.parametrize("by_middleware", [False, True])
def test_an_agents_name_is_who_spends(by_middleware: bool) -> None:
    with stage(calls("send", to="me"), "done") as it:
        guards: Any = [CyclesMiddleware(it.client)] if by_middleware else []
        model = it.model() if by_middleware else guard_model(it.model(), it.client)
        tools: Any = [send] if by_middleware else guard_tools([send], it.client)
        agent = create_agent(model, tools, middleware=guards, name="the postman")
        ask(agent, metadata={"run_id": "run 7"})
        assert {call.subject.agent for call in it.reservations} == {"the-postman"}
        runs = [(call.subject.dimensions or {}).get("run_id") for call in it.reservations]
        assert runs == ["run 7"] * 3


# ── bad input ────────────────────────────────────────────────────────────────────────────────


def test_a_tool_that_the_provider_runs_cannot_be_guarded() -> None:
    hosted: Any = {"type": "web_search"}
    with stage() as it, pytest.raises(ConfigurationError, match="the provider runs"):
        guard_tools([send, hosted], it.client)


def test_a_wrong_option_is_said_when_tools_are_guarded() -> None:
    with stage() as it, pytest.raises(ConfigurationError, match="toolz"):
        guard_tools([send], it.client, toolz={})
