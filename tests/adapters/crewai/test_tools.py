"""Tools, in a block and by `guard_tool`: each run of a body is asked for and charged."""

import asyncio
import random
from contextlib import nullcontext
from typing import Any

import pytest
from crewai import Crew
from crewai.hooks.dispatch import HookAborted, InterceptionPoint, clear, get_hooks
from crewai.tools import BaseTool, tool
from crewai.tools.tool_failure import ToolFailure

from runcycles import CyclesClient
from runcycles.adapter_suite import MODEL, Watched
from runcycles.calls import CallGuards
from runcycles.errors import (
    BudgetExceededError,
    ConfigurationError,
    SpendNotRecordedError,
    UnitMismatchError,
)
from runcycles.testing.model_server import ModelRequest, Reply
from runcycles.tool_actions import ToolAction, cycles_action
from runcycles.types import usd
from runcycles_crewai import RunStopped, cycles_crew, guard_tool
from tests.adapters.crewai.rig import agent_of, calling, crew_of, rigged, task_for

CENT = usd("0.01")
COSTLY = {"look_up": ToolAction(kind="search.web", estimate=CENT)}


class Bodies:
    """Two tools, one of each kind that CrewAI knows, and what their bodies have seen."""

    def __init__(self, fails: bool = False) -> None:
        self.ran: list[str] = []
        self.fails = fails

    def run(self, query: str) -> str:
        self.ran.append(query)
        if self.fails:
            raise RuntimeError("the shop is closed")
        return f"found {query}"

    def function(self) -> Any:
        @tool("look_up")
        def look_up(query: str) -> str:
            """Look something up."""
            return self.run(query)

        return look_up

    def coroutine(self) -> Any:
        @tool("look_up")
        async def look_up(query: str) -> str:
            """Look something up."""
            return self.run(query)

        return look_up

    def klass(self) -> Any:
        run = self.run

        class LookUp(BaseTool):
            name: str = "look_up"
            description: str = "Look something up."

            def _run(self, query: str) -> str:
                return run(query)

        return LookUp()


NO_TOOL: Any = len
NO_CLIENT: Any = "http://localhost"
KINDS = ["function", "coroutine", "klass"]


def reacting(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
    """A model without tool calls of its own: it writes what it wants."""
    if call == 1:
        return Reply(text='Thought: I look.\nAction: look_up\nAction Input: {"query": "x"}')
    return Reply(text="Thought: I know.\nFinal Answer: four euros")


def react(llm: Any) -> Any:
    """The same LLM, of which CrewAI believes that it cannot call tools."""
    kind = type(llm)
    llm.__class__ = type(kind.__name__, (kind,), {"supports_function_calling": lambda _: False})
    return llm


# ── in a block ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", [calling("look_up"), reacting], ids=["native", "ReAct"])
def test_a_tool_of_a_crew_is_asked_for_and_charged(kind: str, script: Any) -> None:
    bodies = Bodies()
    with rigged(script) as rig:
        with cycles_crew(rig.client, tools=COSTLY):
            llm = react(rig.llm()) if script is reacting else rig.llm()
            crew_of(llm, getattr(bodies, kind)()).kickoff()
        assert rig.asked == [MODEL, "look_up", MODEL]
        assert bodies.ran == ["x"]
        assert rig.watched.asked[1].action.kind == "search.web"
        assert rig.watched.asked[1].estimate == CENT
        assert rig.watched.spent > CENT.amount
        rig.assert_settled()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", [calling("look_up"), reacting], ids=["native", "ReAct"])
def test_a_refused_tool_does_not_run_and_ends_the_run(kind: str, script: Any) -> None:
    bodies = Bodies()
    with rigged(script, deny_at=2) as rig:
        llm = react(rig.llm()) if script is reacting else rig.llm()
        with cycles_crew(rig.client), pytest.raises(BudgetExceededError) as caught:
            crew_of(llm, getattr(bodies, kind)()).kickoff()
        assert isinstance(caught.value, HookAborted)
        assert (bodies.ran, rig.requests) == ([], 1)
        rig.assert_settled()


def test_a_tool_is_mapped_by_the_name_it_was_given_or_as_crewai_says_it() -> None:
    @tool("Look Up!")
    def look_up(query: str) -> str:
        """Look something up."""
        return query

    for name in ("Look Up!", "look_up"):
        with rigged(calling("look_up")) as rig:
            with cycles_crew(rig.client, tools={name: ToolAction(kind="search.web")}):
                crew_of(rig.llm(), look_up).kickoff()
            kinds = {op.action.kind for op in rig.watched.asked}
            assert kinds == {"llm.completion", "search.web"}


def test_a_tool_may_carry_its_own_action() -> None:
    @tool("look_up")
    @cycles_action("search.web", toolset="shop", estimate=CENT)
    def look_up(query: str) -> str:
        """Look something up."""
        return query

    class LookUp(BaseTool):
        name: str = "look_up"
        description: str = "Look something up."

        @cycles_action("search.web", toolset="shop", estimate=CENT)
        def _run(self, query: str) -> str:
            return query

    for each in (look_up, LookUp()):
        with rigged(calling("look_up")) as rig:
            with cycles_crew(rig.client):
                crew_of(rig.llm(), each).kickoff()
            asked = rig.watched.asked[1]
            assert (asked.action.kind, asked.subject.toolset) == ("search.web", "shop")
            assert asked.estimate == CENT


def test_a_tool_that_nobody_mapped_is_an_unknown_call() -> None:
    with rigged(calling("look_up")) as rig:
        with cycles_crew(rig.client):
            crew_of(rig.llm(), Bodies().function()).kickoff()
        assert rig.watched.asked[1].action.kind == "unknown.call"


def test_a_tool_that_raises_is_charged_all_the_same() -> None:
    bodies = Bodies(fails=True)
    with rigged(calling("look_up")) as rig:
        with cycles_crew(rig.client, tools=COSTLY):
            crew_of(rig.llm(), bodies.function()).kickoff()
        charged = [op for op in rig.watched.allowed if op.action.name == "look_up"]
        assert len(charged) == len(bodies.ran) == 1
        assert rig.watched.spent > CENT.amount
        rig.assert_settled()


def test_a_refusal_inside_a_tool_ends_the_run() -> None:
    """CrewAI makes a text of whatever leaves a tool; the model never gets to read this one."""
    with rigged(calling("ask")) as rig, rigged(deny_at=None) as other:
        other_llm = other.llm()

        @tool("ask")
        def ask(query: str) -> str:
            """Ask somebody else."""
            return str(other_llm.call(query))

        poor = Watched(deny_at=3)
        with (
            CyclesClient(authority=poor) as client,
            cycles_crew(client),
            pytest.raises(BudgetExceededError),
        ):
            crew_of(rig.llm(), ask).kickoff()
        assert (rig.requests, other.requests) == (1, 0)
        assert not poor.open


# ── guard_tool ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", [calling("look_up"), reacting], ids=["native", "ReAct"])
def test_a_guarded_tool_asks_by_itself(kind: str, script: Any) -> None:
    bodies = Bodies()
    with rigged(script) as rig:
        guarded = guard_tool(
            getattr(bodies, kind)(), rig.client, agent="buyer", run_id="run-7", tools=COSTLY
        )
        llm = react(rig.llm()) if script is reacting else rig.llm()
        crew_of(llm, guarded).kickoff()
        (asked,) = rig.watched.asked
        assert (asked.action.name, asked.action.kind) == ("look_up", "search.web")
        assert (asked.subject.agent, asked.subject.dimensions) == ("buyer", {"run_id": "run-7"})
        assert (bodies.ran, rig.watched.spent) == (["x"], CENT.amount)
        rig.assert_settled()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", [calling("look_up"), reacting], ids=["native", "ReAct"])
@pytest.mark.parametrize("in_a_block", [True, False])
def test_a_refused_guarded_tool_ends_the_run(kind: str, script: Any, in_a_block: bool) -> None:
    bodies = Bodies()
    with rigged(script, deny_at=2 if in_a_block else 1) as rig:
        guarded = guard_tool(getattr(bodies, kind)(), rig.client)
        llm = react(rig.llm()) if script is reacting else rig.llm()
        crew = crew_of(llm, guarded)
        block: Any = cycles_crew(rig.client) if in_a_block else nullcontext()
        with pytest.raises(BudgetExceededError) as caught, block:
            crew.kickoff()
        assert isinstance(caught.value, RunStopped)
        assert (bodies.ran, rig.requests) == ([], 1)
        assert len(rig.asked) == (2 if in_a_block else 1)
        rig.assert_settled()


def test_a_refusal_ends_the_run_even_where_somebody_cleared_the_hooks() -> None:
    for _ in range(2):
        with rigged(calling("look_up"), deny_at=1) as rig:
            crew = crew_of(rig.llm(), guard_tool(Bodies().function(), rig.client))
            with pytest.raises(BudgetExceededError):
                crew.kickoff()
        assert len(get_hooks(InterceptionPoint.POST_TOOL_CALL)) == 1
        clear(InterceptionPoint.POST_TOOL_CALL)


@pytest.mark.parametrize("kind", ["function", "klass"])
def test_every_repetition_of_a_body_is_charged(kind: str) -> None:
    """After an error CrewAI runs a body again: one hook, several runs, as many charges."""
    bodies = Bodies(fails=True)
    with rigged(reacting) as rig:
        guarded = guard_tool(getattr(bodies, kind)(), rig.client, tools=COSTLY)
        crew_of(react(rig.llm()), guarded).kickoff()
        assert len(bodies.ran) == 6
        assert rig.asked == ["look_up"] * 6
        assert rig.watched.spent == 6 * CENT.amount
        rig.assert_settled()


def test_the_repetition_that_nobody_pays_for_does_not_run() -> None:
    bodies = Bodies(fails=True)
    with rigged(reacting, deny_at=4) as rig:
        guarded = guard_tool(bodies.function(), rig.client, tools=COSTLY)
        with pytest.raises(BudgetExceededError):
            crew_of(react(rig.llm()), guarded).kickoff()
        assert (len(bodies.ran), rig.requests) == (3, 1)


def test_in_a_block_only_the_bodies_of_a_guarded_tool_are_charged() -> None:
    bodies = Bodies(fails=True)
    with rigged(reacting) as rig:
        with cycles_crew(rig.client, tools=COSTLY) as block:
            guarded = guard_tool(bodies.function(), rig.client, tools=COSTLY)
            agent = agent_of(react(rig.llm()), guarded, role="buyer")
            Crew(agents=[agent], tasks=[task_for(agent)]).kickoff()
        tools = [op for op in rig.watched.allowed if op.action.name == "look_up"]
        assert len(tools) == len(bodies.ran) == 6
        assert {op.subject.agent for op in tools} == {"buyer"}
        assert {(op.subject.dimensions or {})["run_id"] for op in tools} == {block.run_id}


def test_a_refusal_is_not_remembered_as_a_result() -> None:
    bodies = Bodies()
    with rigged(calling("look_up"), deny_at=1) as rig:
        crew = crew_of(rig.llm(), guard_tool(bodies.function(), rig.client), cache=True)
        with pytest.raises(BudgetExceededError):
            crew.kickoff()
        crew.kickoff()
        assert (bodies.ran, len(rig.asked)) == (["x"], 2)


def test_a_result_that_crewai_remembers_is_not_charged_again() -> None:
    bodies = Bodies()
    with rigged(calling("look_up")) as rig:
        crew = crew_of(rig.llm(), guard_tool(bodies.function(), rig.client), cache=True)
        crew.kickoff()
        crew.kickoff()
        assert (bodies.ran, rig.asked) == (["x"], ["look_up"])


def test_called_directly_a_refused_tool_returns_its_failure() -> None:
    with rigged(deny_at=1) as rig:
        failure = guard_tool(Bodies().function(), rig.client).run(query="x")
        assert isinstance(failure, ToolFailure)
        assert failure.code == "cycles_refused"


def test_an_async_body_may_be_awaited() -> None:
    class LookUp(BaseTool):
        name: str = "look_up"
        description: str = "Look something up."

        def _run(self, query: str) -> str:
            raise AssertionError

        async def _arun(self, query: str) -> str:
            return query

    with rigged(deny_at=2) as rig:
        guarded = guard_tool(LookUp(), rig.client)
        assert asyncio.run(guarded.arun(query="x")) == "x"
        assert asyncio.run(guarded.arun(query="x")).code == "cycles_refused"
        rig.assert_settled()


def test_a_body_that_ran_is_not_repeated_because_its_charge_got_lost() -> None:
    class Forgetful(Watched):
        def send(self, op: Any) -> Any:
            if type(op).__name__ == "Commit":
                raise SpendNotRecordedError("lost", reservation_id="r", actual=1)
            return super().send(op)

    bodies = Bodies()
    with rigged(reacting) as rig, CyclesClient(authority=Forgetful()) as client:
        with pytest.raises(SpendNotRecordedError):
            crew_of(react(rig.llm()), guard_tool(bodies.function(), client)).kickoff()
        assert (bodies.ran, rig.requests) == (["x"], 1)


def test_the_tool_itself_stays_as_it_was() -> None:
    for kind in KINDS:
        bodies = Bodies()
        plain = getattr(bodies, kind)()
        with rigged(deny_at=1) as rig:
            guarded = guard_tool(plain, rig.client)
            assert (guarded.name, guarded.description) == (plain.name, plain.description)
            assert guarded.args_schema is plain.args_schema
            assert isinstance(guarded, type(plain))
            plain.run(query="x")
            assert (bodies.ran, rig.asked) == (["x"], [])


def test_several_tools_may_share_their_settings() -> None:
    with rigged() as rig:
        calls = CallGuards(rig.client, tools=COSTLY)
        guard_tool(Bodies().function(), calls).run(query="x")
        guard_tool(Bodies().klass(), calls).run(query="x")
        assert rig.watched.spent == 2 * CENT.amount


def test_what_cannot_be_guarded_is_told_at_once() -> None:
    with rigged() as rig:
        guarded = guard_tool(Bodies().function(), rig.client)
        with pytest.raises(ConfigurationError, match="is no tool"):
            guard_tool(NO_TOOL, rig.client)
        with pytest.raises(ConfigurationError, match="guarded already"):
            guard_tool(guarded, rig.client)
        with pytest.raises(ConfigurationError, match="not a client"):
            guard_tool(Bodies().function(), NO_CLIENT)


def test_a_tool_counted_in_another_unit_than_the_budget_does_not_run() -> None:
    bodies = Bodies()
    with rigged() as rig:
        guarded = guard_tool(bodies.function(), rig.client, unit="TOKENS")
        failure: Any = guarded.run(query="x")
        assert isinstance(failure.refusal, UnitMismatchError)
        assert bodies.ran == []
