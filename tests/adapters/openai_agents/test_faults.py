"""What is charged where something goes wrong: nothing that ran is free, nothing stays held."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from threading import Event
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import openai
import pytest
from agents import (
    AgentsException,
    Model,
    ModelRetrySettings,
    ModelSettings,
    ModelTracing,
    OpenAIProvider,
    RetryDecision,
    Runner,
    ToolTimeoutError,
    function_tool,
)

from runcycles import BudgetExceededError, usd
from runcycles.adapter_suite import MODEL
from runcycles.testing.model_server import ModelRequest, Reply
from runcycles.tool_actions import ToolAction
from runcycles_openai_agents import CyclesModel, guard
from tests.adapters.openai_agents.engine import finished
from tests.adapters.openai_agents.stage import (
    Stage,
    calls,
    stage,
    was_estimated,
    was_released,
)

WITHIN_S = 5
DEAR = {"dear": ToolAction(estimate=usd(100))}


# ── the model ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["500@*", "429@*"])
async def test_an_error_status_gives_the_hold_back(fault: str, stream: bool) -> None:
    with stage(faults=[fault]) as it:
        with pytest.raises(openai.APIStatusError):
            await finished(guard(it.agent(), it.client), stream=stream)
        assert was_released(it.model_call())
        assert it.is_settled


async def test_a_provider_that_cannot_be_reached_gives_the_hold_back() -> None:
    with stage() as it:
        nowhere = openai.AsyncOpenAI(base_url="http://127.0.0.1:9", api_key="-", max_retries=0)
        model = OpenAIProvider(openai_client=nowhere).get_model(MODEL)
        with pytest.raises(openai.APIConnectionError):
            await finished(guard(it.agent(model=model), it.client))
        assert was_released(it.model_call())


@pytest.mark.parametrize("fault", ["malformed@*", "cut@*", "drop@*"])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_cannot_be_read_is_charged(fault: str, stream: bool) -> None:
    with stage(faults=[fault]) as it:
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the client makes of it
            await finished(guard(it.agent(), it.client), stream=stream)
        assert was_estimated(it.model_call())
        assert it.is_settled


async def test_a_cancelled_call_is_charged() -> None:
    asked = Event()

    def script(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        asked.set()
        return Reply(text="too late")

    with stage(script=script, faults=["delay@*=60000"]) as it:
        run = asyncio.create_task(finished(guard(it.agent(), it.client)))
        assert await anyio.to_thread.run_sync(asked.wait, WITHIN_S)
        run.cancel()
        with pytest.raises(asyncio.CancelledError), anyio.fail_after(WITHIN_S):
            await run
        assert was_estimated(it.model_call())
        assert it.is_settled


async def test_a_stream_that_is_left_early_is_charged_its_estimate() -> None:
    with stage() as it:
        async with aclosing(events_of(it)) as events:
            await anext(events)
            assert not it.is_settled
        assert was_estimated(it.model_call())


async def test_a_stream_is_settled_before_its_last_event_is_passed_on() -> None:
    with stage(Reply(text="hello", prompt_tokens=7, completion_tokens=5)) as it:
        async with aclosing(events_of(it)) as events:
            async for event in events:
                if event.type == "response.completed":
                    assert it.is_settled
                    break
                assert not it.is_settled
        used = it.model_call().committed_metrics
        assert used is not None
        assert (used.tokens_input, used.tokens_output) == (7, 5)


async def test_a_streamed_run_that_is_cancelled_is_charged() -> None:
    with stage("a long answer", chunk_ms=20) as it:
        streamed = Runner.run_streamed(guard(it.agent(), it.client), "Hi")
        async for event in streamed.stream_events():
            if event.type == "raw_response_event":
                streamed.cancel()
        with anyio.fail_after(WITHIN_S):
            while not it.is_settled:
                await anyio.lowlevel.checkpoint()
        assert was_estimated(it.model_call())


async def test_a_model_that_fails_before_its_stream_begins_leaves_nothing_held() -> None:
    class Broken(Model):
        model = MODEL

        async def get_response(self, *given: Any, **named: Any) -> Any:
            raise NotImplementedError

        def stream_response(self, *given: Any, **named: Any) -> AsyncIterator[Any]:
            raise RuntimeError("no stream today")

    with stage() as it:
        with pytest.raises(RuntimeError, match="no stream today"):
            await finished(guard(it.agent(model=Broken()), it.client), stream=True)
        assert was_estimated(it.model_call())


# ── retries ──────────────────────────────────────────────────────────────────────────────────


def stubborn(context: Any) -> RetryDecision:
    """A policy that tries everything again, whatever speaks against it."""
    return RetryDecision(retry=True, delay=0, approve_unsafe_replay=True)


STUBBORN = ModelSettings(retry=ModelRetrySettings(max_retries=3, policy=stubborn))


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_model_is_not_asked_again(stream: bool) -> None:
    with stage(budget=usd("0.00000001")) as it:
        with pytest.raises(BudgetExceededError):
            await finished(guard(it.agent(model_settings=STUBBORN), it.client), stream=stream)
        assert (len(it.authority.asked), it.requests) == (1, 0)


async def test_each_attempt_of_the_sdk_is_reserved_for() -> None:
    with stage(faults=["500@1", "429@2"]) as it:
        await finished(guard(it.agent(model_settings=STUBBORN), it.client))
        assert it.requests == 3
        assert [was_released(each) for each in it.of(MODEL)] == [True, True, False]
        assert it.is_settled


async def test_attempts_of_the_client_below_the_sdk_cannot_be_seen() -> None:
    with stage(faults=["429@1=0.01", "429@2=0.01"]) as it:
        model = it.models(retries=2).get_model(MODEL)
        await finished(guard(it.agent(model=model), it.client))
        assert (it.requests, len(it.of(MODEL))) == (3, 1)


# ── tools ────────────────────────────────────────────────────────────────────────────────────


async def test_a_refused_tool_stops_its_siblings_and_all_are_settled() -> None:
    begun = asyncio.Event()

    @function_tool
    async def cheap() -> str:
        """Take its time."""
        begun.set()
        await asyncio.Event().wait()
        return "never"

    @function_tool
    def dear() -> str:
        """Cost too much."""
        raise AssertionError("it was refused")

    with stage(calls("cheap", "dear"), "done") as it:
        agent = guard(it.agent(tools=[cheap, dear]), it.client, tools=DEAR)
        with pytest.raises(BudgetExceededError), anyio.fail_after(WITHIN_S):
            await finished(agent)
        assert it.of("dear") == []
        assert all(was_estimated(each) for each in it.of("cheap"))
        assert it.is_settled
        assert it.requests == 1


async def test_a_refused_tool_that_is_told_leaves_its_siblings_alone() -> None:
    @function_tool
    def cheap() -> str:
        """Cost nothing."""
        return "found"

    with stage(calls("cheap", "dear"), "done") as it:
        tools = [cheap, function_tool(name_override="dear")(lambda: "never")]
        agent = guard(it.agent(tools=tools), it.client, tools=DEAR, refusal="tell_model")
        result = await Runner.run(agent, "Hi")
        assert result.final_output == "done"
        outputs = [each.output for each in result.new_items if each.type == "tool_call_output_item"]
        assert outputs[0] == "found"
        assert outputs[1].startswith("The tool dear did not run; it is not permitted: ")
        assert it.is_settled


async def test_a_tool_that_raises_is_charged_and_its_error_goes_the_usual_way() -> None:
    @function_tool
    def broken() -> str:
        """Break."""
        raise RuntimeError("no luck")

    with stage(calls("broken"), "done") as it:
        costly = {"broken": ToolAction(estimate=usd("0.01"))}
        assert await finished(guard(it.agent(tools=[broken]), it.client, tools=costly)) == "done"
        (call,) = it.of("broken")
        assert call.charged == usd("0.01").amount


async def test_a_tool_whose_errors_end_the_run_is_charged_too() -> None:
    @function_tool(failure_error_function=None)
    def broken() -> str:
        """Break."""
        raise RuntimeError("no luck")

    with stage(calls("broken")) as it:
        with pytest.raises(AgentsException, match="no luck"):
            await finished(guard(it.agent(tools=[broken]), it.client))
        assert was_estimated(*it.of("broken"))


async def test_a_tool_that_takes_too_long_is_charged() -> None:
    @function_tool(timeout=0.05, timeout_behavior="raise_exception")
    async def slow() -> str:
        """Take for ever."""
        await asyncio.Event().wait()
        return "never"

    with stage(calls("slow")) as it:
        with pytest.raises(ToolTimeoutError):
            await finished(guard(it.agent(tools=[slow]), it.client))
        assert was_estimated(*it.of("slow"))
        assert it.is_settled


def events_of(it: Stage) -> Any:
    """The events of one guarded call, without a runner."""
    model = CyclesModel(it.client, it.models().get_model(MODEL))
    return model.stream_response(
        None,
        "Hi",
        ModelSettings(),
        [],
        None,
        [],
        ModelTracing.DISABLED,
        previous_response_id=None,
        conversation_id=None,
        prompt=None,
    )
