"""Every way of running something in CrewAI, inside one block."""

import asyncio
import threading
from typing import Any

import pytest
from crewai import Agent, Crew, Process, Task
from crewai.flow.flow import Flow, listen, start
from crewai.hooks.dispatch import (
    HookAborted,
)
from crewai.tools import tool

from runcycles import CyclesClient, set_default_client
from runcycles.adapter_suite import MODEL, Watched
from runcycles.calls import DEFAULT_MAX_TOKENS, CallGuards
from runcycles.errors import BudgetExceededError, ConfigurationError
from runcycles.pricing import ModelUsage, PriceBook
from runcycles.types import Subject, tokens
from runcycles_crewai import cycles_crew
from tests.adapters.crewai.rig import (
    Rig,
    agent_of,
    calling,
    crew_of,
    meeting,
    rigged,
    task_for,
    together,
)

PRICE = (
    PriceBook()
    .cost(MODEL, ModelUsage(input_tokens=30, output_tokens=20, cached_tokens=10), provider="openai")
    .amount
)
"""What one of the rig's answers costs."""


def kickoff(rig: Rig) -> object:
    return crew_of(rig.llm()).kickoff()


def kickoff_async(rig: Rig) -> object:
    return asyncio.run(crew_of(rig.llm()).kickoff_async())


def akickoff(rig: Rig) -> object:
    return asyncio.run(crew_of(rig.llm()).akickoff())


def kickoff_for_each(rig: Rig) -> object:
    return crew_of(rig.llm()).kickoff_for_each(inputs=[{"a": "1"}])


def kickoff_for_each_async(rig: Rig) -> object:
    return asyncio.run(crew_of(rig.llm()).kickoff_for_each_async(inputs=[{"a": "1"}]))


def akickoff_for_each(rig: Rig) -> object:
    return asyncio.run(crew_of(rig.llm()).akickoff_for_each(inputs=[{"a": "1"}]))


def agent_kickoff(rig: Rig) -> object:
    return agent_of(rig.llm()).kickoff("what does it cost?")


def agent_kickoff_async(rig: Rig) -> object:
    return asyncio.run(agent_of(rig.llm()).kickoff_async("what does it cost?"))


def flow(rig: Rig) -> object:
    class Pricing(Flow[Any]):
        @start()
        def begin(self) -> str:
            return "begun"

        @listen(begin)
        def price(self, _: str) -> str:
            return str(crew_of(rig.llm()).kickoff())

    return Pricing().kickoff()


def async_flow(rig: Rig) -> object:
    class Pricing(Flow[Any]):
        @start()
        async def price(self) -> str:
            return str(await crew_of(rig.llm()).akickoff())

    return asyncio.run(Pricing().kickoff_async())


def parallel_task(rig: Rig) -> object:
    agent = agent_of(rig.llm())
    return Crew(agents=[agent], tasks=[task_for(agent, async_execution=True)]).kickoff()


def task_with_a_time_limit(rig: Rig) -> object:
    agent = agent_of(rig.llm(), max_execution_time=30)
    return Crew(agents=[agent], tasks=[task_for(agent)]).kickoff()


def llm_call(rig: Rig) -> object:
    return rig.llm().call("what does it cost?")


def llm_acall(rig: Rig) -> object:
    return asyncio.run(rig.llm().acall("what does it cost?"))


def llm_stream(rig: Rig) -> object:
    return rig.llm(stream=True).call("what does it cost?")


def llm_stream_events(rig: Rig) -> object:
    session = rig.llm().stream_events("what does it cost?")
    return [*session]


def responses_api(rig: Rig) -> object:
    return rig.llm(api="responses").call("what does it cost?")


def own_llm(rig: Rig) -> object:
    """An agent without an LLM is given one by CrewAI, from the environment."""
    agent = Agent(role="lead", goal="g", backstory="b")
    return Crew(agents=[agent], tasks=[task_for(agent)]).kickoff()


WAYS = [
    kickoff,
    kickoff_async,
    akickoff,
    kickoff_for_each,
    kickoff_for_each_async,
    akickoff_for_each,
    agent_kickoff,
    agent_kickoff_async,
    flow,
    async_flow,
    parallel_task,
    task_with_a_time_limit,
    llm_call,
    llm_acall,
    llm_stream,
    llm_stream_events,
    responses_api,
    own_llm,
]


@pytest.fixture
def own_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_MODEL_NAME", MODEL)


@pytest.mark.usefixtures("own_model")
@pytest.mark.parametrize("way", WAYS)
def test_one_call_is_one_reservation_charged_as_it_was_used(
    way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rigged() as rig:
        monkeypatch.setenv("OPENAI_BASE_URL", rig.url)
        with cycles_crew(rig.client):
            way(rig)
        assert rig.requests == len(rig.watched.allowed) == 1
        assert rig.watched.spent == PRICE
        assert [request.max_tokens for request in rig.heard] == [DEFAULT_MAX_TOKENS]
        rig.assert_settled()


@pytest.mark.usefixtures("own_model")
@pytest.mark.parametrize("way", WAYS)
def test_one_denied_call_is_no_request_and_our_error(
    way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rigged(deny_at=1) as rig:
        monkeypatch.setenv("OPENAI_BASE_URL", rig.url)
        with pytest.raises(BudgetExceededError) as caught, cycles_crew(rig.client):
            way(rig)
        assert isinstance(caught.value, HookAborted)
        assert caught.value.scope == "tenant:acme"
        assert (rig.requests, rig.asked) == (0, [MODEL])


def test_a_manager_that_crewai_makes_is_guarded() -> None:
    with rigged(calling("delegate_work_to_coworker")) as rig, cycles_crew(rig.client):
        worker = agent_of(rig.llm(), role="worker")
        crew = Crew(
            agents=[worker],
            tasks=[Task(description="d", expected_output="e")],
            process=Process.hierarchical,
            manager_llm=rig.llm(),
        )
        crew.kickoff()
        assert rig.requests == rig.asked.count(MODEL) >= 2


def test_a_planner_is_guarded() -> None:
    with rigged(deny_at=1) as rig, cycles_crew(rig.client):
        crew = crew_of(rig.llm(), planning=True, planning_llm=rig.llm())
        with pytest.raises(BudgetExceededError):
            crew.kickoff()
        assert rig.requests == 0


# ── who spends, and how much ─────────────────────────────────────────────────────────────────


def test_the_agents_role_and_the_run_say_who_spends() -> None:
    @tool("look_up")
    def look_up(query: str) -> str:
        """Look something up."""
        return query

    with rigged(calling("look_up")) as rig:
        with cycles_crew(rig.client, run_id="run-7"):
            agent = agent_of(rig.llm(), look_up, role="Senior Buyer")
            Crew(agents=[agent], tasks=[task_for(agent)]).kickoff()
        assert rig.asked == [MODEL, "look_up", MODEL]
        for op in rig.watched.asked:
            assert op.subject.agent == "Senior-Buyer"
            assert op.subject.dimensions == {"run_id": "run-7"}


def test_every_block_is_a_run_of_its_own() -> None:
    with rigged() as rig:
        for _ in range(2):
            with cycles_crew(rig.client):
                rig.llm().call("hello")
        first, second = (op.subject.dimensions for op in rig.watched.asked)
        assert first
        assert second
        assert first["run_id"] != second["run_id"]


def test_an_agent_without_a_name_spends_for_the_client() -> None:
    with rigged() as rig, cycles_crew(rig.client):
        rig.llm().call("hello")
        assert [op.subject.agent for op in rig.watched.asked] == [None]


def test_a_subject_given_wins_over_the_role() -> None:
    with rigged() as rig, cycles_crew(rig.client, subject=Subject(agent="buyer")):
        crew_of(rig.llm()).kickoff()
        assert [op.subject.agent for op in rig.watched.asked] == ["buyer"]


def test_a_budget_may_count_tokens() -> None:
    with rigged() as rig:
        watched = Watched(budget=tokens(10_000))
        with CyclesClient(authority=watched) as client, cycles_crew(client, unit="TOKENS"):
            crew_of(rig.llm()).kickoff()
        assert watched.spent == 50


def test_the_settings_may_be_made_once() -> None:
    with rigged() as rig:
        calls = CallGuards(rig.client, max_tokens=100)
        with cycles_crew(calls):
            rig.llm().call("hello")
        assert [request.max_tokens for request in rig.heard] == [100]


def test_no_client_at_all_is_the_default_client() -> None:
    with rigged() as rig:
        set_default_client(rig.client)
        try:
            with cycles_crew():
                rig.llm().call("hello")
        finally:
            set_default_client(None)
        assert rig.asked == [MODEL]


ADDRESS: Any = "http://localhost"
WRONG: dict[str, Any] = {
    "an address": lambda _: cycles_crew(ADDRESS),
    "no client": lambda _: cycles_crew(),
    "a limit too small": lambda client: cycles_crew(client, max_tokens=3),
    "an unknown option": lambda client: cycles_crew(client, colour="red"),
    "options given twice": lambda client: cycles_crew(CallGuards(client), max_tokens=300),
    "an unknown word": lambda client: cycles_crew(client, on_authority_down="shrug"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_told_before_anything_runs(wrong: Any) -> None:
    with rigged() as rig, pytest.raises(ConfigurationError):
        wrong(rig.client)


# ── the output limit ─────────────────────────────────────────────────────────────────────────


def test_the_limit_is_taken_back_when_the_call_is_over() -> None:
    with rigged() as rig, cycles_crew(rig.client, max_tokens=200):
        llm = rig.llm()
        llm.call("hello")
        assert rig.heard[0].max_tokens == 200
        assert (llm.max_tokens, llm.max_completion_tokens) == (None, None)


def test_a_limit_of_the_user_stays() -> None:
    with rigged() as rig, cycles_crew(rig.client):
        llm = rig.llm(max_tokens=70)
        llm.call("hello")
        assert rig.heard[0].max_tokens == llm.max_tokens == 70


def test_several_answers_share_the_limit() -> None:
    with rigged() as rig, cycles_crew(rig.client, max_tokens=400):
        rig.llm(n=4).call("hello")
        assert rig.heard[0].max_tokens == 100


def test_a_budget_that_is_nearly_spent_makes_the_answer_shorter() -> None:
    with rigged() as rig:
        watched = Watched(budget=tokens(1_000))
        with CyclesClient(authority=watched) as client, cycles_crew(client, unit="TOKENS"):
            rig.llm().call("hello")
        assert rig.heard[0].max_tokens is not None
        assert rig.heard[0].max_tokens < 1_000


def test_calls_that_share_an_llm_are_all_kept_to_the_smallest_of_their_limits() -> None:
    """Both calls are open before either is sent: they wait for each other in between."""
    with rigged() as rig:
        llm, both = rig.llm(), threading.Barrier(2, timeout=20)

        def call(limit: int) -> None:
            with cycles_crew(rig.client, max_tokens=limit), meeting(both):
                llm.call("hello")

        together(lambda: call(300), lambda: call(500))
        assert [request.max_tokens for request in rig.heard] == [300, 300]
        assert llm.max_completion_tokens is None
