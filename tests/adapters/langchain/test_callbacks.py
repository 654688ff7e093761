"""The callback handler: it asks for whatever nobody guarded, and loses no end that it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import anyio
import pytest
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from openai import APIStatusError

from runcycles import (
    BudgetExceededError,
    ConfigurationError,
    CyclesClient,
    ReservationStatus,
    usd,
)
from runcycles.actions import UNMAPPED
from runcycles.adapter_suite import MODEL, Watched
from runcycles.calls import DEFAULT_MAX_TOKENS
from runcycles.pricing import ModelUsage, PriceBook, TokenPrice
from runcycles.testing.model_server import Reply
from runcycles.tool_actions import ToolAction
from runcycles_langchain import (
    CyclesCallbackHandler,
    CyclesMiddleware,
    RunStopped,
    guard_model,
    guard_tools,
)
from tests.adapters.langchain.engine import scripted_async
from tests.adapters.langchain.fakes import Fake
from tests.adapters.langchain.stage import (
    NOTHING,
    Stage,
    ask,
    calls,
    stage,
    was_estimated,
    was_released,
)

REPLY = Reply(text="hello", prompt_tokens=1_000, completion_tokens=50, cached_tokens=400)
COST = (
    PriceBook()
    .cost(MODEL, ModelUsage(input_tokens=1_000, output_tokens=50, cached_tokens=400))
    .amount
)
TWO: list[list[BaseMessage]] = [[HumanMessage("a")], [HumanMessage("b")]]


def watched_by(it: Stage, **options: Any) -> Any:
    """The config of a run that the handler watches."""
    return {"callbacks": [CyclesCallbackHandler(it.client, **options)]}


def act(to: str) -> str:
    """Act."""
    return f"acted on {to}"


# ── it blocks ────────────────────────────────────────────────────────────────────────────────


def ways(model: Any, config: Any) -> dict[str, Callable[[], Any]]:
    chain = ChatPromptTemplate.from_template("{x}") | model
    return {
        "invoke": lambda: model.invoke("hi", config),
        "stream": lambda: list(model.stream("hi", config)),
        "batch": lambda: model.batch(["hi", "ho"], config),
        "generate": lambda: model.generate(TWO, callbacks=config["callbacks"]),
        "chain": lambda: chain.invoke({"x": "hi"}, config),
        "chained stream": lambda: list(chain.stream({"x": "hi"}, config)),
    }


@pytest.mark.parametrize("way", list(ways(Fake(calls=[]), {"callbacks": []})))
def test_it_refuses_a_sync_call_before_it_is_made(way: str) -> None:
    with stage(budget=NOTHING) as it:
        with pytest.raises(BudgetExceededError) as caught:
            ways(it.model(), watched_by(it))[way]()
        assert isinstance(caught.value, RunStopped)
        assert (it.requests, it.is_settled) == (0, True)


async def all_of(parts: AsyncIterator[Any]) -> list[Any]:
    return [part async for part in parts]


async def test_it_refuses_an_async_call_before_it_is_made() -> None:
    with stage(budget=NOTHING) as it:
        config = watched_by(it)
        async with scripted_async(it.url) as model:
            for making in (
                lambda: model.ainvoke("hi", config),
                lambda: all_of(model.astream("hi", config)),
                lambda: model.abatch(["hi", "ho"], config),
                lambda: model.agenerate(TWO, callbacks=config["callbacks"]),
            ):
                with pytest.raises(BudgetExceededError):
                    await making()
        assert (it.requests, it.is_settled) == (0, True)


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
async def test_it_refuses_streams_of_events() -> None:
    with stage(budget=NOTHING) as it:
        with pytest.raises(BudgetExceededError):
            it.model().stream_events("hi", watched_by(it), version="v3").output  # noqa: B018 - it runs when it is read
        async with scripted_async(it.url) as model:
            events = model.astream_events("hi", watched_by(it), version="v2")
            with pytest.raises(BudgetExceededError):
                await all_of(events)
        assert (it.requests, it.is_settled) == (0, True)


def test_it_refuses_a_tool_before_it_runs() -> None:
    with stage(calls("act", to="it"), "done") as it:
        costly = watched_by(it, tools={"act": ToolAction(estimate=usd(20))})
        with pytest.raises(BudgetExceededError):
            ask(create_agent(it.model(), [act]), **costly)
        assert (it.requests, it.is_settled) == (1, True)


# ── it settles ───────────────────────────────────────────────────────────────────────────────


def test_a_call_is_charged_what_its_usage_costs() -> None:
    with stage(REPLY) as it:
        config = watched_by(it)
        it.model().invoke("hi", config)
        list(it.model(stream_usage=True).stream("hi", config))
        assert [call.charged for call in it.reservations] == [COST, COST]
        assert it.is_settled


async def test_an_async_call_is_charged_what_its_usage_costs() -> None:
    with stage(REPLY) as it:
        async with scripted_async(it.url, stream_usage=True) as model:
            config = watched_by(it)
            await model.ainvoke("hi", config)
            assert [part async for part in model.astream("hi", config)]
        assert [call.charged for call in it.reservations] == [COST, COST]
        assert it.is_settled


def test_a_call_whose_limit_it_cannot_set_is_asked_for_with_the_default_one() -> None:
    with stage(REPLY) as it:
        it.model().invoke("hi", watched_by(it))
        it.model(max_tokens=9).invoke("hi", watched_by(it))
        assumed, known = it.reservations
        assert "max_completion_tokens" not in it.bodies[0]
        book = PriceBook()
        limit = book.bound(MODEL, input_tokens=0, output_tokens=DEFAULT_MAX_TOKENS).amount
        assert known.estimate.amount < limit < assumed.estimate.amount


def test_an_answer_without_usage_is_charged_its_estimate() -> None:
    with stage(REPLY) as it:
        list(it.model().stream("hi", watched_by(it)))
        assert was_estimated(it.model_call())


def test_a_hit_of_the_cache_costs_nothing() -> None:
    with stage(REPLY) as it:
        model, config = it.model(cache=InMemoryCache()), watched_by(it)
        model.invoke("hi", config)
        model.invoke("hi", config)
        paid, free = it.reservations
        assert (paid.charged, was_released(free), it.requests) == (COST, True, 1)


def test_what_the_provider_refused_costs_nothing() -> None:
    with stage(faults=["500@*"]) as it:
        with pytest.raises(APIStatusError):
            it.model().invoke("hi", watched_by(it))
        assert was_released(it.model_call())


@pytest.mark.parametrize("fault", ["malformed@*", "drop@*"])
def test_an_answer_that_cannot_be_read_is_charged_its_estimate(fault: str) -> None:
    with stage(REPLY, faults=[fault]) as it:
        with pytest.raises(Exception, match=r"."):
            it.model().invoke("hi", watched_by(it))
        assert was_estimated(it.model_call())


def test_a_stream_left_early_is_charged_its_estimate() -> None:
    with stage("one two three four five six") as it:
        stream: Any = it.model(stream_usage=True).stream("hi", watched_by(it))
        next(stream)
        stream.close()
        assert was_estimated(it.model_call())


async def test_an_async_stream_left_early_is_charged_its_estimate() -> None:
    with stage("one two three four five six") as it:
        async with scripted_async(it.url) as model:
            stream: Any = model.astream("hi", watched_by(it))
            async with aclosing(stream) as parts:
                await anext(parts)
        assert was_estimated(it.model_call())


async def cancelled(it: Stage, running: Coroutine[Any, Any, Any]) -> None:
    """Cancel it when its request has reached the model."""
    task = asyncio.create_task(running)
    with anyio.fail_after(5):
        while not it.requests:
            await anyio.lowlevel.checkpoint()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_call_of_a_cancelled_run_is_charged_its_estimate() -> None:
    with stage(faults=["delay@*=60000"]) as it:
        async with scripted_async(it.url) as model:
            chain = ChatPromptTemplate.from_template("{x}") | model
            await cancelled(it, chain.ainvoke({"x": "hi"}, watched_by(it)))
        assert was_estimated(it.model_call())


async def test_a_call_of_a_cancelled_agent_is_charged_its_estimate() -> None:
    with stage(faults=["delay@*=60000"]) as it:
        async with scripted_async(it.url) as model:
            agent: Any = create_agent(model)
            await cancelled(it, agent.ainvoke({"messages": [("user", "go")]}, watched_by(it)))
        assert was_estimated(it.model_call())


async def test_of_a_cancelled_call_outside_of_any_run_langchain_tells_no_end() -> None:
    with stage(faults=["delay@*=60000"]) as it:
        async with scripted_async(it.url) as model:
            await cancelled(it, model.ainvoke("hi", watched_by(it)))
        assert it.model_call().status is ReservationStatus.ACTIVE


def test_a_tool_that_raises_is_charged_and_one_that_nobody_mapped_is_unknown() -> None:
    @tool
    def fail() -> str:
        """Fail."""
        raise RuntimeError("broken")

    with stage() as it:
        with pytest.raises(RuntimeError, match="broken"):
            fail.invoke({}, watched_by(it, unmapped=ToolAction(estimate=usd("0.01"))))
        (call,) = it.of("fail")
        assert (call.action.kind, was_estimated(call)) == (UNMAPPED, True)


# ── several conversations in one request ─────────────────────────────────────────────────────


def test_where_one_conversation_is_refused_the_others_are_given_back() -> None:
    watched = Watched(deny_at=2)
    with stage() as it:
        it.client = CyclesClient(authority=watched)
        with pytest.raises(BudgetExceededError):
            it.model().generate(TWO, callbacks=watched_by(it)["callbacks"])
        assert (it.requests, watched.open, watched.spent) == (0, set(), 0)


async def test_where_one_async_conversation_is_refused_no_other_starts() -> None:
    watched = Watched(deny_at=2)
    with stage() as it:
        it.client = CyclesClient(authority=watched)
        handler = CyclesCallbackHandler(it.client)
        async with scripted_async(it.url) as model:
            with pytest.raises(BudgetExceededError):
                await model.agenerate([*TWO, *TWO], callbacks=[handler])
            with anyio.fail_after(5):
                while watched.open:
                    await anyio.lowlevel.checkpoint()
        assert (it.requests, len(watched.asked), watched.spent) == (0, 2, 0)


@pytest.mark.filterwarnings("ignore:Unexpected type for token usage")
def test_where_one_conversation_fails_those_before_are_charged_and_those_after_given_back() -> None:
    with stage(REPLY, faults=["500@2"]) as it:
        with pytest.raises(APIStatusError):
            it.model().generate([*TWO, *TWO], callbacks=watched_by(it)["callbacks"])
        made, failed, *never_made = it.reservations
        assert was_estimated(made)
        assert was_released(failed)
        assert [was_released(each) for each in never_made] == [True, True]
        assert it.requests == 2


@pytest.mark.filterwarnings("ignore:Unexpected type for token usage")
async def test_where_one_async_conversation_fails_the_others_are_charged_their_usage() -> None:
    with stage(REPLY, faults=["500@2"]) as it:
        async with scripted_async(it.url) as model:
            with pytest.raises(APIStatusError):
                await model.agenerate([*TWO, *TWO], callbacks=watched_by(it)["callbacks"])
        assert sorted(str(call.charged) for call in it.reservations) == [
            *[str(COST)] * 3,
            "None",
        ]
        assert it.is_settled


# ── text models ──────────────────────────────────────────────────────────────────────────────


def test_text_models_are_asked_for_and_charged_their_estimate() -> None:
    prices = PriceBook({"fake_list": TokenPrice(input="1", output="1")}, unknown_price=usd("0.01"))
    with stage() as it:
        FakeListLLM(responses=["hello"]).batch(["a", "b"], watched_by(it, prices=prices))
        assert [was_estimated(call) for call in it.reservations] == [True, True]
    with stage(budget=NOTHING) as it, pytest.raises(BudgetExceededError):
        FakeListLLM(responses=["hello"]).invoke("hi", watched_by(it, prices=prices))


class Failing(FakeListLLM):
    """A text model that fails when it has done its work."""

    def _generate(self, *prompts: Any, **settings: Any) -> Any:
        raise ValueError("unreadable")


def test_every_prompt_of_a_text_model_that_fails_is_charged_its_estimate() -> None:
    with stage() as it:
        prices = PriceBook(unknown_price=usd("0.01"))
        with pytest.raises(ValueError, match="unreadable"):
            Failing(responses=[]).batch(["a", "b"], watched_by(it, prices=prices))
        assert [was_estimated(call) for call in it.reservations] == [True, True]


# ── beside other guards ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("by_middleware", [False, True])
def test_what_asks_by_itself_is_not_asked_for_twice(by_middleware: bool) -> None:
    with stage(calls("act", to="it"), "done") as it:
        own: Any = [CyclesMiddleware(it.client)] if by_middleware else []
        tools: Any = [act] if by_middleware else guard_tools([act], it.client)
        model = it.model() if by_middleware else guard_model(it.model(), it.client)
        ask(create_agent(model, tools, middleware=own), **watched_by(it))
        assert (it.requests, len(it.reservations)) == (2, 3)


def test_metadata_that_only_looks_like_ours_hides_no_call() -> None:
    with stage(budget=NOTHING) as it:
        config: Any = {**watched_by(it), "metadata": {"cycles": "guarded"}}
        with pytest.raises(BudgetExceededError):
            it.model().invoke("hi", config)


def test_agent_and_run_are_named_by_the_metadata_of_a_run() -> None:
    with stage(calls("act", to="it"), "done") as it:
        agent = create_agent(it.model(), [act], name="the writer")
        ask(agent, **watched_by(it), configurable={"thread_id": "thread 1"})
        for call in it.reservations:
            assert call.subject.agent == "the-writer"
            assert call.subject.dimensions == {"run_id": "thread 1"}


# ── bad input ────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_option_is_said_when_the_handler_is_made() -> None:
    with stage() as it, pytest.raises(ConfigurationError, match="toolz"):
        CyclesCallbackHandler(it.client, toolz={})


def test_in_shadow_mode_nothing_is_refused() -> None:
    with stage(REPLY, budget=NOTHING, mode="shadow") as it:
        assert it.model().invoke("hi", watched_by(it)).text == "hello"
        assert it.requests == 1
