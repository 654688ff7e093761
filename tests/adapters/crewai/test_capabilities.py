"""The README's table: what is enforced, what is only charged, and what cannot be seen at all."""

import asyncio
import contextvars
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from crewai import Crew
from crewai.events.types.llm_events import LLMCallType
from crewai.llms.base_llm import BaseLLM, llm_call_context
from crewai.memory.unified_memory import Memory
from crewai.tools import tool
from crewai.utilities.internal_instructor import InternalInstructor
from pydantic import BaseModel

from runcycles.adapter_suite import MODEL
from runcycles.errors import BudgetExceededError
from runcycles.testing.model_server import ModelRequest, Reply
from runcycles_crewai import RunStopped, cycles_crew
from tests.adapters.crewai.rig import agent_of, calling, crew_of, rigged, task_for
from tests.adapters.crewai.test_crews import PRICE


@tool("look_up")
def look_up(query: str) -> str:
    """Look something up."""
    return query


class Price(BaseModel):
    euros: int


class Asking(InternalInstructor[Price]):
    """CrewAI's way to structured output, up to the moment in which it would use the client."""

    def _create_instructor_client(self) -> Any:
        return None


class Silent(BaseLLM):
    """An LLM of the user's own, which tells CrewAI nothing about its calls."""

    asked: list[Any] = []  # noqa: RUF012 - pydantic copies it

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        self.asked.append(messages)
        return "Thought: I know.\nFinal Answer: four euros"

    async def acall(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        return self.call(messages)


class Telling(BaseLLM):
    """An LLM of the user's own that tells CrewAI of its calls, as CrewAI's own do."""

    asked: list[Any] = []  # noqa: RUF012 - as above

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        with llm_call_context():
            self._emit_call_started_event(messages)
            self.asked.append(messages)
            usage = {"prompt_tokens": 30, "completion_tokens": 20, "cached_prompt_tokens": 10}
            self._emit_call_completed_event("four euros", LLMCallType.LLM_CALL, usage=usage)
        return "Thought: I know.\nFinal Answer: four euros"


def test_an_llm_of_ones_own_that_tells_its_calls_is_enforced_and_charged_by_usage() -> None:
    for in_an_agent in (True, False):
        llm = Telling(model=MODEL)
        with rigged(deny_at=2) as rig:
            for _ in range(2):
                with cycles_crew(rig.client), suppress(BudgetExceededError):
                    crew_of(llm).kickoff() if in_an_agent else llm.call("hello")
            assert (len(llm.asked), len(rig.asked)) == (1, 2)
            assert rig.watched.spent == PRICE
            rig.assert_settled()


@pytest.mark.parametrize("used_before", [False, True])
def test_a_silent_llm_is_enforced_in_an_agent_and_charged_as_estimated(used_before: bool) -> None:
    llm = Silent(model=MODEL)
    crew = crew_of(llm)
    if used_before:  # its agent has made its executor, which keeps the hooks of that moment
        crew.kickoff()
        llm.asked.clear()
    with rigged(deny_at=3) as rig:
        for _ in range(2):
            with cycles_crew(rig.client):
                crew.kickoff()
        with pytest.raises(BudgetExceededError), cycles_crew(rig.client):
            crew.kickoff()
        assert (len(llm.asked), len(rig.asked)) == (2, 3)
        assert rig.watched.spent == sum(op.estimate.amount for op in rig.watched.allowed)
        rig.assert_settled()


def test_each_call_of_a_silent_llm_is_charged_when_it_ends() -> None:
    """Its agent works in many contexts, none of which sees what the one before has left."""
    settled: list[int] = []

    @tool("look_up")
    def look(query: str) -> str:
        """Look something up."""
        settled.append(len(rig.watched.settled))
        return query

    class Thinking(Silent):
        def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            answer = super().call(messages)
            if len(self.asked) > 1:
                return answer
            return 'Thought: I look.\nAction: look_up\nAction Input: {"query": "x"}'

    with rigged() as rig:
        with cycles_crew(rig.client):
            crew_of(Thinking(model=MODEL), look).kickoff()
            assert not rig.watched.open
        assert (rig.asked, settled) == ([MODEL, "look_up", MODEL], [1])
        rig.assert_settled()


def test_an_llm_that_asks_another_pays_for_both() -> None:
    with rigged() as rig:
        inner = rig.llm()

        class Wrapping(Silent):
            def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
                return f"Thought: I know.\nFinal Answer: {inner.call(messages)}"

        with cycles_crew(rig.client):
            crew_of(Wrapping(model="gpt-4o")).kickoff()
        assert rig.asked == ["gpt-4o", MODEL]
        assert rig.watched.spent == rig.watched.allowed[0].estimate.amount + PRICE
        rig.assert_settled()


def test_a_silent_llm_called_directly_cannot_be_seen() -> None:
    with rigged(deny_at=1) as rig, cycles_crew(rig.client):
        Silent(model=MODEL).call("hello")
        assert rig.asked == []


def test_retries_of_the_client_itself_share_one_reservation() -> None:
    with rigged(faults=["500@1"]) as rig:
        with cycles_crew(rig.client):
            rig.llm(max_retries=2).call("hello")
        assert (rig.requests, len(rig.asked)) == (2, 1)
        assert rig.watched.spent == PRICE


def test_a_client_used_directly_is_enforced_and_charged_as_estimated() -> None:
    """CrewAI's structured output by `instructor` runs the hook and tells of no end."""
    with rigged(deny_at=2) as rig, cycles_crew(rig.client):
        with pytest.raises(AttributeError):  # there is no such client here, the hook has run
            Asking(content="x", model=Price, llm=rig.llm()).to_pydantic()
        with pytest.raises(BudgetExceededError):
            Asking(content="x", model=Price, llm=rig.llm()).to_pydantic()
        assert rig.watched.spent == rig.watched.allowed[0].estimate.amount
        rig.assert_settled()


def test_a_client_used_directly_is_not_taken_for_the_call_before_it() -> None:
    with rigged(deny_at=2) as rig, cycles_crew(rig.client):
        llm = rig.llm()
        llm.call("hello")
        with pytest.raises(BudgetExceededError):
            Asking(content="x", model=Price, llm=llm).to_pydantic()
        assert (rig.requests, rig.asked) == (1, [MODEL, MODEL])


def test_a_client_used_directly_is_not_taken_for_the_call_around_it() -> None:
    with rigged() as rig, cycles_crew(rig.client):
        other = rig.llm(model="gpt-4o")

        class Formatting(Telling):
            def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
                with llm_call_context():
                    self._emit_call_started_event(messages)
                    with suppress(AttributeError):  # as above
                        Asking(content="x", model=Price, llm=other).to_pydantic()
                return "four euros"

        Formatting(model=MODEL).call("hello")
        assert rig.asked == [MODEL, "gpt-4o"]


def test_embeddings_of_memory_and_knowledge_cannot_be_seen() -> None:
    embedded: list[str] = []

    def embed(texts: list[str]) -> list[list[float]]:
        embedded.extend(texts)
        return [[0.5] * 4 for _ in texts]

    with rigged(deny_at=1) as rig, cycles_crew(rig.client):
        memory = Memory(llm=rig.llm(), embedder=embed)
        memory.recall("the price", depth="shallow")
        assert embedded == ["the price"]
        assert rig.asked == []


def test_a_model_call_of_the_memory_is_enforced() -> None:
    with rigged(deny_at=1) as rig, cycles_crew(rig.client):
        memory = Memory(llm=rig.llm(), embedder=lambda texts: [[0.5] * 4 for _ in texts])
        with pytest.raises(BudgetExceededError):
            memory.extract_memories("it costs four euros")
        assert (rig.requests, rig.asked) == (0, [MODEL])


def test_a_stream_that_its_consumer_leaves_goes_on_and_is_charged() -> None:
    went_on = threading.Event()

    def script(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        if call == 2:
            went_on.set()
        return calling("look_up")(request, call, rng)

    with rigged(script) as rig:
        with cycles_crew(rig.client):
            stream: Any = crew_of(rig.llm(), look_up, stream=True).kickoff()
            next(iter(stream))
            assert went_on.wait(timeout=20)
        assert rig.asked == [MODEL, "look_up", MODEL]
        assert rig.requests == 2
        rig.assert_settled()


def test_a_stream_that_its_consumer_leaves_ends_with_the_block() -> None:
    """The request that runs is charged as estimated; the next one is not made any more."""
    asked, left = threading.Event(), threading.Event()

    @tool("look_up")
    def slow(query: str) -> str:
        """Look something up, until the block has been left."""
        asked.set()
        assert left.wait(timeout=20)
        return query

    with rigged(calling("look_up")) as rig:
        with cycles_crew(rig.client):
            stream: Any = iter(crew_of(rig.llm(), slow, stream=True).kickoff())
            next(stream)
            assert asked.wait(timeout=20)
        assert not rig.watched.open
        left.set()
        with pytest.raises(RunStopped, match="was left"):
            for _ in stream:
                pass
        assert (rig.requests, rig.asked) == (1, [MODEL, "look_up"])


def test_a_thread_of_ones_own_is_outside_unless_it_is_given_the_context() -> None:
    def in_a_thread(work: Callable[[], object]) -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(timeout=20)

    with rigged() as rig, cycles_crew(rig.client):
        in_a_thread(lambda: rig.llm().call("hello"))
        assert (rig.requests, len(rig.asked)) == (1, 0)
        context = contextvars.copy_context()
        in_a_thread(lambda: context.run(rig.llm().call, "hello"))
        assert (rig.requests, len(rig.asked)) == (2, 1)


def test_an_event_loop_takes_the_block_into_its_tasks() -> None:
    async def several(llm: Any) -> None:
        await asyncio.gather(*(llm.acall("hello") for _ in range(3)))

    with rigged() as rig:
        with cycles_crew(rig.client):
            asyncio.run(several(rig.llm()))
        assert len(rig.asked) == rig.requests == 3


def test_a_cancelled_call_is_charged_as_estimated() -> None:
    async def cut_off(llm: Any) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await llm.acall("hello")

    with rigged(faults=["delay@1=5000"]) as rig:
        with cycles_crew(rig.client):
            asyncio.run(cut_off(rig.llm()))
        assert rig.requests == 1
        assert rig.watched.spent == rig.watched.allowed[0].estimate.amount
        rig.assert_settled()


def test_a_crew_without_an_agent_of_ours_is_not_touched() -> None:
    with rigged() as rig:
        agent = agent_of(rig.llm())
        Crew(agents=[agent], tasks=[task_for(agent)]).kickoff()
        assert (rig.requests, rig.asked) == (1, [])
