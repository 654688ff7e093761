"""What a guarded model asks before a call and sends with it, and that it stays what it was."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from runcycles import (
    BudgetExceededError,
    Caps,
    ConfigurationError,
    CyclesClient,
    Subject,
    Unit,
    UnknownPriceError,
    tokens,
    usd,
)
from runcycles.adapter_suite import MODEL
from runcycles.calls import DEFAULT_MAX_TOKENS, CallGuards
from runcycles.pricing import ModelUsage, PriceBook, TokenPrice
from runcycles.testing.model_server import Reply
from runcycles_langchain import RunStopped, guard_model
from tests.adapters.langchain.engine import scripted_async
from tests.adapters.langchain.fakes import Chunks, Events, Fake, Local, used
from tests.adapters.langchain.stage import (
    NOTHING,
    ROOT,
    Capped,
    stage,
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


# ── what is sent ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("responses", "field"), [(False, "max_completion_tokens"), (True, "max_output_tokens")]
)
def test_the_output_limit_is_set_on_the_request(responses: bool, field: str) -> None:
    with stage() as it:
        model = guard_model(it.model(use_responses_api=responses), it.client)
        model.invoke("hi")
        list(model.stream("hi"))
        assert [body[field] for body in it.bodies] == [DEFAULT_MAX_TOKENS] * 2


@pytest.mark.parametrize(
    ("settings", "bound"),
    [
        ({"max_tokens": 99}, {}),
        ({"max_completion_tokens": 99}, {}),
        ({}, {"max_tokens": 99}),
        ({}, {"max_completion_tokens": 99}),
        ({"max_tokens": 500}, {"max_tokens": 99}),
    ],
)
def test_a_limit_of_the_callers_own_stays(settings: Any, bound: Any) -> None:
    with stage() as it:
        guard_model(it.model(**settings), it.client).bind(**bound).invoke("hi")
        (body,) = it.bodies
        assert body["max_completion_tokens"] == 99
        assert "max_tokens" not in body
        limit = PriceBook().bound(MODEL, input_tokens=200, output_tokens=99).amount
        assert it.model_call().estimate.amount < limit


def test_a_small_budget_makes_the_limit_shorter() -> None:
    with stage(budget=usd("0.001")) as it:
        guard_model(it.model(), it.client).invoke("hi")
        (body,) = it.bodies
        assert 16 <= body["max_completion_tokens"] < DEFAULT_MAX_TOKENS


def test_the_caps_of_a_permission_limit_the_answer() -> None:
    with stage() as it:
        capped = CyclesClient(authority=Capped(it.authority, Caps(max_tokens=20)))
        guard_model(it.model(max_tokens=500), capped).invoke("hi")
        guard_model(it.model(), capped).invoke("hi")
        assert [body["max_completion_tokens"] for body in it.bodies] == [20, 20]


def test_several_answers_share_the_limit() -> None:
    with stage() as it:
        made: list[Any] = []
        guard_model(Local(calls=made, num_predict=None), it.client).invoke("hi", n=4)
        assert [call["num_predict"] for call in made] == [DEFAULT_MAX_TOKENS // 4]


def test_a_provider_that_calls_the_limit_otherwise_gets_it_under_that_name() -> None:
    with stage() as it:
        made: list[Any] = []
        model = guard_model(Local(calls=made), it.client)
        model.invoke("hi")
        assert [call["num_predict"] for call in made] == [DEFAULT_MAX_TOKENS]
        assert model.num_predict is None


def test_a_model_without_an_output_limit_is_asked_for_with_the_default_one() -> None:
    with stage() as it:
        made: list[Any] = []
        guard_model(Fake(calls=made), it.client).invoke("hi")
        bound = PriceBook().bound(MODEL, input_tokens=0, output_tokens=DEFAULT_MAX_TOKENS)
        assert (made, it.model_call().estimate.amount > bound.amount) == ([{}], True)


# ── what is refused ──────────────────────────────────────────────────────────────────────────


def ways(model: Any) -> dict[str, Callable[[], Any]]:
    return {
        "invoke": lambda: model.invoke("hi"),
        "stream": lambda: list(model.stream("hi")),
        "batch": lambda: model.batch(["hi", "ho"]),
        "generate": lambda: model.generate([[HumanMessage("hi")], [HumanMessage("ho")]]),
        "chain": lambda: (ChatPromptTemplate.from_template("{x}") | model).invoke({"x": "hi"}),
        "retry": lambda: model.with_retry(wait_exponential_jitter=False).invoke("hi"),
    }


@pytest.mark.parametrize("way", list(ways(None)))
def test_a_refused_call_reaches_no_model(way: str) -> None:
    with stage(budget=NOTHING) as it:
        model = guard_model(it.model(), it.client)
        with pytest.raises(BudgetExceededError) as caught:
            ways(model)[way]()
        assert isinstance(caught.value, RunStopped)
        assert (caught.value.scope, caught.value.remaining) == (ROOT, NOTHING.amount)
        assert it.requests == 0


async def test_a_refused_async_call_reaches_no_model() -> None:
    with stage(budget=NOTHING) as it:
        async with scripted_async(it.url) as plain:
            model = guard_model(plain, it.client)

            async def all_of(parts: AsyncIterator[Any]) -> list[Any]:
                return [part async for part in parts]

            for making in (
                lambda: model.ainvoke("hi"),
                lambda: all_of(model.astream("hi")),
                lambda: model.abatch(["hi", "ho"]),
                lambda: model.agenerate([[HumanMessage("hi")], [HumanMessage("ho")]]),
            ):
                with pytest.raises(BudgetExceededError):
                    await making()
        assert it.requests == 0


def test_a_model_whose_price_nobody_knows_is_refused() -> None:
    with stage() as it:
        with pytest.raises(UnknownPriceError) as caught:
            guard_model(it.model(model="llama-of-mine"), it.client).invoke("hi")
        assert isinstance(caught.value, RunStopped)
        assert (it.requests, caught.value.model) == (0, "llama-of-mine")


def test_a_price_of_your_own_or_a_budget_of_tokens_makes_any_model_countable() -> None:
    prices = PriceBook({"llama-of-mine": TokenPrice(input="1", output="1")})
    with stage(REPLY) as it:
        guard_model(it.model(model="llama-of-mine"), it.client, prices=prices).invoke("hi")
        assert it.spent == 1_050 * 100  # a dollar per million tokens is 100 µ¢ a token
    with stage(REPLY, budget=tokens(1_000_000)) as it:
        guard_model(it.model(model="llama-of-mine"), it.client, unit=Unit.TOKENS).invoke("hi")
        assert it.spent == 1_050


def test_in_shadow_mode_nothing_is_refused_and_no_limit_is_set() -> None:
    with stage(REPLY, budget=NOTHING, mode="shadow") as it:
        assert guard_model(it.model(), it.client).invoke("hi").text == "hello"
        (body,) = it.bodies
        assert "max_completion_tokens" not in body
        assert it.spent == NOTHING.amount  # what the budget holds; the rest was seen, not refused


@pytest.mark.filterwarnings("ignore:Unexpected type for token usage")
def test_several_prompts_at_once_are_several_calls() -> None:
    with stage() as it:
        guard_model(it.model(), it.client).generate([[HumanMessage("a")], [HumanMessage("b")]])
        assert (len(it.reservations), it.requests, it.is_settled) == (2, 2, True)


# ── what a guarded model is ──────────────────────────────────────────────────────────────────


def test_a_guarded_model_is_the_model_it_was() -> None:
    with stage() as it:
        plain = it.model(temperature=0.5)
        model = guard_model(plain, it.client)
        assert isinstance(model, ChatOpenAI)
        assert type(model).__name__ == "ChatOpenAI"
        assert (model.temperature, model.get_name()) == (0.5, plain.get_name())
        assert model.lc_id() == plain.lc_id()
        assert guard_model(model, it.client) is model
        plain.invoke("nobody asks for this one")
        assert it.reservations == []


def test_a_copy_of_a_guarded_model_is_guarded() -> None:
    with stage(budget=NOTHING) as it:
        model = guard_model(it.model(), it.client)
        copies = [
            model.model_copy(update={"temperature": 0.1}),
            model.model_copy(deep=False),
            type(model)(model=MODEL, base_url=it.url, api_key=SecretStr("no key")),
            model.bind_tools([]),
            model.with_config(tags=["x"]),
            model.configurable_fields(temperature=ConfigurableField(id="temperature")).with_config(
                configurable={"temperature": 0.1}
            ),
        ]
        for copied in copies:
            with pytest.raises(BudgetExceededError):
                copied.invoke("hi")
        assert it.requests == 0


def test_what_a_model_calls_on_itself_is_one_call() -> None:
    with stage() as it:
        made: list[Any] = []
        model = guard_model(Chunks(calls=made), it.client)
        model.invoke("hi")
        assert (len(made), it.model_call().charged) == (1, SMALL)


async def test_a_model_that_is_only_sync_asks_once_for_an_async_call() -> None:
    with stage() as it:
        made: list[Any] = []
        await guard_model(Fake(calls=made, usage=used(100, 10)), it.client).ainvoke("hi")
        assert (len(made), it.model_call().charged) == (1, SMALL)
        made.clear()
        streaming = guard_model(Chunks(calls=made), it.client)
        assert [part async for part in streaming.astream("hi")]
        assert (len(made), len(it.reservations)) == (1, 2)


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
async def test_a_providers_own_events_are_asked_for_too() -> None:
    with stage() as it:
        made: list[Any] = []
        model = guard_model(Events(calls=made), it.client)
        assert model.stream_events("hi", version="v3").output.id
        stream = await model.astream_events("hi", version="v3")
        assert (await stream).id
        assert (len(made), [each.charged for each in it.reservations]) == (2, [SMALL, SMALL])
    with stage(budget=NOTHING) as it:
        made.clear()
        model = guard_model(Events(calls=made), it.client)
        with pytest.raises(BudgetExceededError):
            model.stream_events("hi", version="v3").output  # noqa: B018 - it runs when it is read
        assert made == []


# ── who asks ─────────────────────────────────────────────────────────────────────────────────


def test_agent_and_run_are_named_by_the_metadata_of_a_run() -> None:
    with stage() as it:
        model = guard_model(it.model(), it.client)
        model.invoke("hi", {"metadata": {"agent": "the writer", "run_id": "run 7"}})
        model.invoke("hi")
        named, unnamed = it.reservations
        assert named.subject.agent == "the-writer"
        assert named.subject.dimensions == {"run_id": "run 7"}
        assert (unnamed.subject.agent, unnamed.subject.dimensions) == (None, None)


def test_a_subject_of_its_own_goes_before_the_names_of_a_run() -> None:
    with stage() as it:
        model = guard_model(it.model(), it.client, subject=Subject(agent="editor", app="press"))
        model.invoke("hi", {"metadata": {"agent": "writer"}})
        assert it.model_call().subject.agent == "editor"
        assert it.model_call().subject.app == "press"


def test_guards_with_shared_settings_are_given_in_place_of_a_client() -> None:
    with stage() as it:
        shared = CallGuards(it.client, max_tokens=32)
        guard_model(it.model(), shared).invoke("hi")
        assert it.bodies[0]["max_completion_tokens"] == 32


# ── bad input ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"unit": Unit.CREDITS}, "dollars or tokens"),
        ({"on_authority_down": "pray"}, "on_authority_down is 'pray'"),
        ({"price": 1}, "price"),
    ],
)
def test_a_wrong_option_is_said_when_the_model_is_guarded(options: Any, sentence: str) -> None:
    with stage() as it, pytest.raises(ConfigurationError, match=sentence):
        guard_model(it.model(), it.client, **options)


def test_what_is_no_client_and_what_is_no_model_are_said() -> None:
    with stage() as it:
        model: Any = it.model()
        wrong: Any = "http://localhost:7878"
        with pytest.raises(ConfigurationError, match="is not a client; give a CyclesClient"):
            guard_model(model, wrong)
        with pytest.raises(ConfigurationError, match="pass client="):
            guard_model(model)
        with pytest.raises(ConfigurationError, match="give max_tokens to CallGuards"):
            guard_model(model, CallGuards(it.client), max_tokens=5)
        no_models: list[Any] = [
            model.bind(stop=["."]),
            model.with_fallbacks([model]),
            "gpt-4o",
            FakeListLLM(responses=["text"]),
        ]
        for no_model in no_models:
            with pytest.raises(ConfigurationError, match="guard the model itself"):
                guard_model(no_model, it.client)
