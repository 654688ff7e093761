"""What a call of a guarded model is charged, however it ends."""

import asyncio
from contextlib import aclosing
from typing import Any

import anyio
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import HumanMessage
from openai import APIStatusError
from pydantic import BaseModel

from runcycles.adapter_suite import MODEL
from runcycles.pricing import ModelUsage, PriceBook
from runcycles.testing.model_server import Reply
from runcycles_langchain import RunStopped, guard_model
from tests.adapters.langchain.engine import scripted_async
from tests.adapters.langchain.fakes import Chunks, Fake, used
from tests.adapters.langchain.stage import (
    stage,
    was_estimated,
    was_released,
)

REPLY = Reply(
    text="hello", prompt_tokens=1_000, completion_tokens=50, cached_tokens=400, reasoning_tokens=20
)
COST = (
    PriceBook()
    .cost(MODEL, ModelUsage(input_tokens=1_000, output_tokens=50, cached_tokens=400))
    .amount
)
SMALL = PriceBook().cost(MODEL, ModelUsage(input_tokens=100, output_tokens=10)).amount
DIALECTS = pytest.mark.parametrize("responses", [False, True])


@DIALECTS
def test_a_sync_call_is_charged_what_its_usage_costs(responses: bool) -> None:
    with stage(REPLY) as it:
        model = guard_model(it.model(use_responses_api=responses), it.client)
        assert model.invoke("hi").text == "hello"
        call = it.model_call()
        assert (call.charged, it.spent, it.is_settled) == (COST, COST, True)
        assert call.committed_metadata is None
        assert call.committed_metrics is not None
        assert call.committed_metrics.tokens_input == 1_000
        assert call.committed_metrics.tokens_output == 50


@DIALECTS
async def test_an_async_call_is_charged_what_its_usage_costs(responses: bool) -> None:
    with stage(REPLY) as it:
        async with scripted_async(it.url, use_responses_api=responses) as model:
            assert (await guard_model(model, it.client).ainvoke("hi")).text == "hello"
        assert (it.model_call().charged, it.is_settled) == (COST, True)


@DIALECTS
def test_a_stream_is_asked_for_its_usage_and_charged_by_it(responses: bool) -> None:
    with stage(REPLY) as it:
        model = guard_model(it.model(use_responses_api=responses), it.client)
        assert "".join(part.text for part in model.stream("hi")) == "hello"
        assert (it.model_call().charged, it.is_settled) == (COST, True)


@DIALECTS
async def test_an_async_stream_is_charged_by_its_usage_too(responses: bool) -> None:
    with stage(REPLY) as it:
        async with scripted_async(it.url, use_responses_api=responses) as model:
            parts = [part.text async for part in guard_model(model, it.client).astream("hi")]
        assert "".join(parts) == "hello"
        assert (it.model_call().charged, it.is_settled) == (COST, True)


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
async def test_streams_of_events_are_charged_by_their_usage() -> None:
    with stage(REPLY) as it:
        async with scripted_async(it.url) as plain:
            model = guard_model(plain, it.client)
            assert model.stream_events("hi", version="v3").output.text == "hello"
            async for _ in model.astream_events("hi", version="v2"):
                pass
        assert [each.charged for each in it.reservations] == [COST, COST]
        assert it.is_settled


def test_the_estimate_is_never_below_the_charge() -> None:
    class Answer(BaseModel):
        """What it costs, and why."""

        price: int
        reason: str

    def look_up(topic: str) -> str:
        """Look a topic up, wherever it may stand."""
        return topic

    with stage("x" * 400_000, '{"price": 1, "reason": "x"}') as it:
        model = guard_model(it.model(max_tokens=50), it.client)
        question = [HumanMessage("Größe? " * 100), HumanMessage([{"type": "text", "text": "hi"}])]
        model.bind_tools([look_up]).invoke(question)
        model.with_structured_output(Answer, method="json_schema", include_raw=True).invoke(
            question
        )
        assert len(it.reservations) == 2
        for call in it.reservations:
            assert call.charged is not None
            assert call.charged <= call.estimate.amount


def test_a_stream_that_tells_no_usage_is_charged_its_estimate() -> None:
    with stage(REPLY) as it:
        list(guard_model(it.model(stream_usage=False), it.client).stream("hi"))
        assert was_estimated(it.model_call())


@pytest.mark.parametrize("usage", [None, used(0, 0)])
def test_an_answer_without_usage_is_charged_its_estimate(usage: Any) -> None:
    with stage() as it:
        guard_model(Fake(calls=[], usage=usage), it.client).invoke("hi")
        assert was_estimated(it.model_call())


@pytest.mark.parametrize("fault", ["500@*", "429@*", "400@*"])
def test_what_the_provider_refused_costs_nothing(fault: str) -> None:
    with stage(faults=[fault]) as it:
        with pytest.raises(APIStatusError):
            guard_model(it.model(), it.client).invoke("hi")
        assert was_released(it.model_call())


def test_a_provider_that_cannot_be_reached_costs_nothing() -> None:
    with stage() as it:
        url = it.url
        model = guard_model(it.model(), it.client)
    with pytest.raises(Exception, match="Connection error"):
        model.invoke("hi")
    assert url
    assert was_released(it.model_call())


@pytest.mark.parametrize("fault", ["malformed@*", "cut@*", "drop@*"])
def test_an_answer_that_cannot_be_read_is_charged_its_estimate(fault: str) -> None:
    with stage(REPLY, faults=[fault]) as it:
        with pytest.raises(Exception, match=r".") as caught:
            guard_model(it.model(), it.client).invoke("hi")
        assert not isinstance(caught.value, RunStopped)
        assert was_estimated(it.model_call())


def test_an_answer_that_the_model_was_paid_for_and_that_fits_no_schema_is_charged() -> None:
    class Answer(BaseModel):
        """What it costs."""

        price: int

    with stage("no JSON") as it:
        model = guard_model(it.model(), it.client)
        with pytest.raises(ValueError, match="Invalid JSON"):
            model.with_structured_output(Answer, method="json_schema").invoke("hi")
        assert was_estimated(it.model_call())


@pytest.mark.parametrize("fault", ["malformed@*", "cut@*=3"])
def test_a_stream_that_breaks_is_charged_its_estimate(fault: str) -> None:
    with stage(REPLY, faults=[fault]) as it:
        with pytest.raises(Exception, match=r"."):
            list(guard_model(it.model(), it.client).stream("hi"))
        assert was_estimated(it.model_call())


def test_a_stream_left_early_is_charged_its_estimate() -> None:
    with stage("one two three four five six") as it:
        stream: Any = guard_model(it.model(), it.client).stream("hi")
        next(stream)
        stream.close()
        assert was_estimated(it.model_call())


async def test_an_async_stream_left_early_is_charged_its_estimate() -> None:
    with stage("one two three four five six") as it:
        async with scripted_async(it.url) as model:
            stream: Any = guard_model(model, it.client).astream("hi")
            async with aclosing(stream) as parts:
                await anext(parts)
        assert was_estimated(it.model_call())


def test_a_part_of_the_usage_is_not_what_a_stream_cost() -> None:
    with stage() as it:
        stream: Any = guard_model(Chunks(calls=[]), it.client).stream("hi")
        next(stream)
        stream.close()
        assert was_estimated(it.model_call())


def test_a_stream_left_after_the_model_ended_is_charged_its_usage() -> None:
    with stage() as it:
        stream: Any = guard_model(Chunks(calls=[]), it.client).stream("hi")
        next(stream)
        next(stream)
        stream.close()
        assert it.model_call().charged == SMALL


def test_a_stream_that_does_not_say_why_it_ended_is_charged_its_usage() -> None:
    with stage() as it:
        list(guard_model(Chunks(calls=[], tells_end=False), it.client).stream("hi"))
        assert it.model_call().charged == SMALL


async def test_a_cancelled_call_is_charged_its_estimate() -> None:
    with stage(faults=["delay@*=60000"]) as it:
        async with scripted_async(it.url) as model:
            task = asyncio.create_task(guard_model(model, it.client).ainvoke("hi"))
            with anyio.fail_after(5):
                while not it.requests:
                    await anyio.lowlevel.checkpoint()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert was_estimated(it.model_call())


def test_a_hit_of_the_cache_asks_nobody() -> None:
    with stage(REPLY) as it:
        model = guard_model(it.model(cache=InMemoryCache()), it.client)
        assert model.invoke("hi").text == model.invoke("hi").text == "hello"
        assert list(model.stream("ho"))
        assert (it.requests, len(it.reservations), it.spent) == (2, 2, 2 * COST)
