"""What is reserved before a call, what is charged after it, and to whom."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from agents import (
    Agent,
    Model,
    ModelResponse,
    ModelSettings,
    RunConfig,
    Usage,
    function_tool,
    set_trace_processors,
    set_tracing_disabled,
    trace,
)
from pydantic import BaseModel

from runcycles import Caps, Subject, Unit, tokens, usd
from runcycles.adapter_suite import MODEL
from runcycles.ledger.state import Reservation
from runcycles.pricing import ModelUsage, PriceBook, TokenPrice
from runcycles.testing.model_server import ModelRequest, Reply
from runcycles.tool_actions import ToolAction, cycles_action
from runcycles_openai_agents import CyclesModelProvider, guard
from tests.adapters.openai_agents.engine import finished
from tests.adapters.openai_agents.stage import calls, stage, was_estimated, was_released

REPLY = Reply(
    text="hello", prompt_tokens=1_000, completion_tokens=50, cached_tokens=400, reasoning_tokens=20
)
COST = (
    PriceBook()
    .cost(MODEL, ModelUsage(input_tokens=1_000, output_tokens=50, cached_tokens=400))
    .amount
)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("responses", [False, True])
async def test_a_call_is_charged_what_its_usage_costs(responses: bool, stream: bool) -> None:
    with stage(REPLY) as it:
        model = it.models(responses=responses).get_model(MODEL)
        await finished(guard(it.agent(model=model), it.client), stream=stream)
        call = it.model_call()
        assert (call.charged, it.spent, it.is_settled) == (COST, COST, True)
        assert call.committed_metadata is None
        assert call.committed_metrics is not None
        assert call.committed_metrics.tokens_input == 1_000
        assert call.committed_metrics.tokens_output == 50


async def test_the_estimate_is_never_below_the_charge() -> None:
    class Answer(BaseModel):
        price: int

    with stage(Reply(text='{"price": 1}')) as it:
        agent = it.agent(instructions="Réponds. " * 40, tools=[look_up], output_type=Answer)
        await finished(guard(agent, it.client), "Combien ? " * 100)
        call = it.model_call()
        assert call.charged is not None
        assert call.charged < call.estimate.amount


async def test_what_the_provider_adds_is_charged_beyond_the_estimate() -> None:
    remembered = Reply(text="hello", prompt_tokens=1_000_000, completion_tokens=1)
    with stage(remembered) as it:
        await finished(guard(it.agent(), it.client))
        call = it.model_call()
        assert call.charged is not None
        assert call.charged > call.estimate.amount


async def test_everything_that_is_sent_counts_for_the_estimate() -> None:
    class Answer(BaseModel):
        price: int

    async def estimate(**options: Any) -> int:
        with stage(Reply(text='{"price": 1}')) as it:
            await finished(guard(it.agent(**options), it.client))
            return it.model_call().estimate.amount

    helper = Agent(name="helper", handoff_description="Knows all prices.")
    plain = await estimate()
    for more in (
        {"instructions": "Be brief."},
        {"tools": [look_up]},
        {"output_type": Answer},
        {"handoffs": [helper]},
    ):
        assert await estimate(**more) > plain


class Limits(list[int | None]):
    """A script that notes the limit of each request."""

    def __call__(self, request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        self.append(request.max_tokens)
        return Reply(text="hello")


async def test_a_request_without_a_limit_gets_the_one_that_was_reserved_for() -> None:
    limits = Limits()
    with stage(script=limits) as it:
        await finished(guard(it.agent(), it.client))
        await finished(guard(it.agent(), it.client, max_tokens=300))
        mine = ModelSettings(max_tokens=77)
        await finished(guard(it.agent(model_settings=mine), it.client))
    assert limits == [4_096, 300, 77]


async def test_a_short_budget_shortens_the_answer_before_it_refuses_it() -> None:
    limits = Limits()
    with stage(script=limits, budget=tokens(2_000)) as it:
        await finished(guard(it.agent(), it.client, unit=Unit.TOKENS))
        assert it.spent < 20
    assert limits[0] is not None
    assert 256 <= limits[0] < 2_000


async def test_the_caps_of_a_permission_limit_the_answer() -> None:
    limits = Limits()
    with stage(script=limits, caps=Caps(max_tokens=99)) as it:
        await finished(guard(it.agent(), it.client))
        mine = ModelSettings(max_tokens=50)
        await finished(guard(it.agent(model_settings=mine), it.client))
    assert limits == [99, 50]


async def test_the_caps_of_a_permission_rule_tools_out() -> None:
    with stage(calls("look_up"), "done", caps=Caps(tool_denylist=("look_up",))) as it:
        agent = guard(it.agent(tools=[look_up]), it.client, refusal="tell_model")
        assert await finished(agent) == "done"
        (tool,) = it.of("look_up")
        assert was_released(tool)


async def test_a_budget_of_tokens_needs_no_prices() -> None:
    with stage(REPLY, budget=tokens(100_000)) as it:
        own = it.models().get_model("a model nobody sells")
        await finished(guard(it.agent(model=own), it.client, unit=Unit.TOKENS))
        assert it.spent == 1_050


async def test_own_prices_win() -> None:
    prices = PriceBook({MODEL: TokenPrice(input="1", output="2", cached_input="0")})
    with stage(REPLY) as it:
        await finished(guard(it.agent(), it.client, prices=prices))
        assert it.spent == 600 * 100 + 50 * 200


async def test_a_tool_is_charged_what_its_name_or_its_mark_says() -> None:
    @function_tool
    @cycles_action("message.email.send", estimate=usd("0.02"), toolset="mail")
    def send() -> str:
        """Send it."""
        return "sent"

    mapped = {"look_up": ToolAction(kind="web.search", estimate=usd("0.01"))}
    with stage(calls("look_up", "send"), "done") as it:
        await finished(guard(it.agent(tools=[look_up, send]), it.client, tools=mapped))
        (looked,), (sent,) = it.of("look_up"), it.of("send")
        assert (looked.action.kind, looked.charged) == ("web.search", 1_000_000)
        assert (sent.action.kind, sent.charged) == ("message.email.send", 2_000_000)
        assert sent.subject.toolset == "mail"


async def test_the_agent_that_asks_is_the_one_that_spends() -> None:
    helper = Agent[Any](name="the helper", instructions="help", tools=[look_up])
    with stage(calls("transfer_to_the_helper"), calls("look_up"), "done") as it:
        helper.model = it.models().get_model(MODEL)
        await finished(guard(it.agent("the lead", handoffs=[helper]), it.client))
        spenders = [(each.action.name, each.subject.agent) for each in it.reservations]
        assert spenders == [
            (MODEL, "the-lead"),
            (MODEL, "the-helper"),
            ("look_up", "the-helper"),
            (MODEL, "the-helper"),
        ]


async def test_a_subject_that_was_given_wins_over_the_agent() -> None:
    with stage() as it:
        await finished(guard(it.agent(), it.client, subject=Subject(agent="me", app="shop")))
        subject = it.model_call().subject
        assert (subject.tenant, subject.app, subject.agent) == ("acme", "shop", "me")


async def test_an_agent_without_a_name_is_charged_to_who_the_client_is() -> None:
    with stage(agent="nobody") as it:
        await finished(guard(it.agent(name=""), it.client))
        assert it.model_call().subject.agent == "nobody"


async def test_a_provider_cannot_see_the_agent() -> None:
    with stage() as it:
        config = RunConfig(model_provider=CyclesModelProvider(it.client, it.models()))
        await finished(it.agent(model=MODEL), run_config=config)
        assert it.model_call().subject.agent is None


async def test_the_group_of_a_run_is_its_id() -> None:
    with stage(calls("look_up"), "done") as it, tracing():
        agent = guard(it.agent(tools=[look_up]), it.client)
        await finished(agent, run_config=RunConfig(group_id="thread-7"))
        assert {run_of(each) for each in it.reservations} == {"thread-7"}


async def test_without_a_group_the_trace_is_its_id() -> None:
    with stage(calls("look_up"), "done") as it, tracing():
        agent = guard(it.agent(tools=[look_up]), it.client)
        with trace("two runs") as both:
            await finished(agent)
            await finished(agent)
        assert len(it.reservations) == 4
        assert {run_of(each) for each in it.reservations} == {both.trace_id}


async def test_without_tracing_only_tools_know_their_group() -> None:
    with stage(calls("look_up"), "done") as it:
        agent = guard(it.agent(tools=[look_up]), it.client)
        await finished(agent, run_config=RunConfig(group_id="thread-7"))
        assert [run_of(each) for each in it.reservations] == [None, "thread-7", None]


async def test_a_model_without_usage_is_charged_its_estimate() -> None:
    with stage() as it:
        await finished(guard(it.agent(model=Silent(it.models().get_model(MODEL))), it.client))
        assert was_estimated(it.model_call())


async def test_what_a_model_says_about_its_usage_need_not_make_sense() -> None:
    nonsense = Usage(requests=1, input_tokens=-5, output_tokens=3)
    with stage() as it:
        model = Silent(it.models().get_model(MODEL), nonsense)
        await finished(guard(it.agent(model=model), it.client))
        assert was_estimated(it.model_call())


def run_of(reservation: Reservation) -> str | None:
    return (reservation.subject.dimensions or {}).get("run_id")


@function_tool
def look_up() -> str:
    """Look it up."""
    return "found"


@contextmanager
def tracing() -> Iterator[None]:
    """Traces are made, and go nowhere."""
    set_trace_processors([])
    set_tracing_disabled(False)
    try:
        yield
    finally:
        set_tracing_disabled(True)


class Silent(Model):
    """A model that does not tell what it used."""

    def __init__(self, inner: Any, usage: Usage | None = None) -> None:
        self._inner = inner
        self._usage = usage or Usage()
        self.model = inner.model

    async def get_response(self, *given: Any, **named: Any) -> ModelResponse:
        answer: ModelResponse = await self._inner.get_response(*given, **named)
        return replace(answer, usage=self._usage)

    def stream_response(self, *given: Any, **named: Any) -> AsyncIterator[Any]:
        raise NotImplementedError
