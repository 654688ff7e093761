"""How a refusal, and every failure of ours, reaches those who run an agent."""

import asyncio
import pickle
from typing import Any

import pytest
from agents import AgentsException, function_tool

import runcycles
from runcycles import (
    AsyncCyclesClient,
    BudgetExceededError,
    BudgetFrozenError,
    ConfigurationError,
    CyclesConfig,
    CyclesError,
    CyclesTransportError,
    DeniedError,
    SettlementRefusedError,
    SpendNotRecordedError,
    UnauthorizedError,
    UnknownPriceError,
    set_default_client,
    tokens,
    usd,
)
from runcycles.adapter_suite import MODEL
from runcycles.calls import CallGuards
from runcycles.pricing import PriceBook
from runcycles.testing.model_server import Reply
from runcycles.tool_actions import ToolAction
from runcycles_openai_agents import (
    CyclesModel,
    CyclesModelProvider,
    CyclesRunHooks,
    RunStopped,
    guard,
)
from tests.adapters.openai_agents.engine import finished, finished_sync
from tests.adapters.openai_agents.stage import calls, stage
from tests.support.served import served

NO_MONEY = usd("0.00000001")


@function_tool
def look_up() -> str:
    """Look it up."""
    return "found"


# ── the error ────────────────────────────────────────────────────────────────────────────────


async def test_a_refusal_is_our_error_with_its_fields_and_the_sdk_s_exception() -> None:
    with stage(budget=NO_MONEY) as it:
        with pytest.raises(BudgetExceededError) as caught:
            await finished(guard(it.agent(), it.client))
        assert isinstance(caught.value, AgentsException)
        error: Any = caught.value
        assert type(error).__mro__[1] is RunStopped
        assert (error.scope, error.remaining, error.reason_code) == (
            "tenant:acme",
            NO_MONEY.amount,
            "BUDGET_EXCEEDED",
        )
        assert error.requested > NO_MONEY.amount
        assert str(error) == str(error.refused)
        assert error.run_data.last_agent.name == "writer"
        assert it.requests == 0


def finished_async(agent: Any, *, stream: bool) -> str:
    return asyncio.run(finished(agent, stream=stream))


@pytest.mark.parametrize("mode", ["run", "stream", "sync"])
def test_it_is_so_however_the_agent_is_run(mode: str) -> None:
    with stage(budget=NO_MONEY) as it:
        agent = guard(it.agent(), it.client)
        run: Any = finished_async if mode != "sync" else lambda it, **_: finished_sync(it)
        with pytest.raises(BudgetExceededError):
            run(agent, stream=mode == "stream")
        assert it.requests == 0


async def test_a_frozen_budget_is_told_apart_from_a_spent_one() -> None:
    with stage(calls("look_up"), "done") as it:
        it.authority.freeze("tenant:acme")
        with pytest.raises(BudgetFrozenError) as caught:
            await finished(guard(it.agent(), it.client))
        assert isinstance(caught.value, RunStopped)


def every_error() -> list[CyclesError]:
    problem = runcycles.errors.Problem(status=409, error_code="X", message="no")
    made: list[CyclesError] = []
    for name in runcycles.__all__:
        kind = getattr(runcycles, name)
        if not (isinstance(kind, type) and issubclass(kind, CyclesError)):
            continue
        if kind is SettlementRefusedError:
            made.append(SettlementRefusedError(problem, reservation_id="r", actual=3, result="x"))
        elif kind is SpendNotRecordedError:
            made.append(kind("gone", reservation_id="r", actual=3))
        elif issubclass(kind, runcycles.CyclesProtocolError):
            made.append(kind(problem))
        else:
            made.append(kind("a sentence"))
    return made


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_every_error_of_ours_has_a_form_that_stops_runs(error: CyclesError) -> None:
    same = RunStopped.of(error)
    assert isinstance(same, type(error))
    assert isinstance(same, RunStopped)
    assert type(same).__name__ == type(error).__name__
    assert (str(same), same.args) == (str(error), error.args)
    assert vars(error).items() <= vars(same).items()
    again = pickle.loads(pickle.dumps(same))
    assert type(again) is type(same)
    assert str(again) == str(error)


# ── what the model is told ───────────────────────────────────────────────────────────────────


async def test_a_refused_tool_is_told_in_one_sentence() -> None:
    told: list[str] = []

    def script(request: Any, call: int, rng: Any, /) -> Reply:
        told.append(request.last.text)
        return calls("look_up") if call == 1 else Reply(text="done")

    with stage(script=script) as it:
        dear = {"look_up": ToolAction(estimate=usd(100))}
        agent = guard(it.agent(tools=[look_up]), it.client, tools=dear, refusal="tell_model")
        assert await finished(agent) == "done"
    assert told[1].startswith("The tool look_up did not run; it is not permitted: ")
    assert "tenant:acme" in told[1]
    assert told[1].count("\n") == 0


async def test_a_refused_model_ends_the_run_whatever_is_said_of_tools() -> None:
    with stage(budget=NO_MONEY) as it:
        with pytest.raises(BudgetExceededError):
            await finished(guard(it.agent(), it.client, refusal="tell_model"))
        assert it.requests == 0


async def test_only_refusals_are_told_and_failures_stop_the_run() -> None:
    with stage(calls("look_up"), "done") as it:
        fails = {"look_up": ToolAction(estimate=tokens(5))}
        agent = guard(it.agent(tools=[look_up]), it.client, tools=fails, refusal="tell_model")
        with pytest.raises(RunStopped) as caught:
            await finished(agent)
        assert not isinstance(caught.value.refused, DeniedError)
        assert it.requests == 1


# ── settling ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stream", [False, True])
async def test_a_charge_that_is_not_taken_stops_the_run_and_keeps_the_answer(
    stream: bool,
) -> None:
    with stage() as it:
        it.authority.refuses_commits = True
        with pytest.raises(SpendNotRecordedError) as caught:
            await finished(guard(it.agent(), it.client), stream=stream)
        assert isinstance(caught.value, RunStopped)
        if not stream:
            assert caught.value.result.output[0].content[0].text.startswith("hello")


# ── bad input ────────────────────────────────────────────────────────────────────────────────


async def test_a_tool_that_nobody_mapped_is_an_unknown_call() -> None:
    with stage(calls("look_up"), "done") as it:
        await finished(guard(it.agent(tools=[look_up]), it.client))
        (tool,) = it.of("look_up")
        assert (tool.action.kind, tool.charged) == ("unknown.call", 0)


async def test_what_an_unmapped_tool_is_can_be_chosen() -> None:
    with stage(calls("look_up"), "done") as it:
        unmapped = ToolAction(kind="tool.other", estimate=usd("0.01"))
        await finished(guard(it.agent(tools=[look_up]), it.client, unmapped=unmapped))
        (tool,) = it.of("look_up")
        assert (tool.action.kind, tool.charged) == ("tool.other", 1_000_000)


async def test_a_model_without_a_price_is_refused_before_it_is_asked() -> None:
    with stage() as it:
        model = it.models().get_model("a model nobody sells")
        with pytest.raises(UnknownPriceError, match="a model nobody sells") as caught:
            await finished(guard(it.agent(model=model), it.client))
        assert isinstance(caught.value, RunStopped)
        assert it.requests == 0


async def test_a_model_without_a_price_may_be_given_one() -> None:
    with stage() as it:
        model = it.models().get_model("a model nobody sells")
        prices = PriceBook(unknown_price=usd("0.05"))
        await finished(guard(it.agent(model=model), it.client, prices=prices))
        assert it.spent == usd("0.05").amount


GONE = CyclesConfig(
    base_url="http://127.0.0.1:9", api_key="key", tenant="acme", retry_enabled=False
)


async def test_without_an_authority_nothing_runs() -> None:
    with stage(calls("look_up"), "done") as it:
        async with AsyncCyclesClient(GONE) as client:
            with pytest.raises(CyclesTransportError) as caught:
                await finished(guard(it.agent(tools=[look_up]), client))
        assert isinstance(caught.value, RunStopped)
        assert it.requests == 0


async def test_unless_that_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    with stage(calls("look_up"), "done") as it:
        async with AsyncCyclesClient(GONE) as client:
            agent = guard(it.agent(tools=[look_up]), client, on_authority_down="run_and_record")
            assert await finished(agent) == "done"
        assert "runs although the authority is down" in caplog.text


async def test_a_wrong_key_stops_the_run_and_says_so() -> None:
    with stage() as it, served() as server:
        config = CyclesConfig(base_url=server.base_url, api_key="wrong", tenant="acme")
        async with AsyncCyclesClient(config) as client:
            with pytest.raises(UnauthorizedError) as caught:
                await finished(guard(it.agent(), client))
        assert isinstance(caught.value, RunStopped)
        assert it.requests == 0


async def test_a_real_server_refuses_over_http() -> None:
    with stage(calls("look_up"), "done", calls("look_up")) as it, served() as server:
        tenant = server.tenant(allocated=1_000_000, unit="USD_MICROCENTS")
        config = CyclesConfig(
            base_url=server.base_url, api_key=server.key_of(tenant), tenant=tenant
        )
        async with AsyncCyclesClient(config) as client:
            assert await finished(guard(it.agent(tools=[look_up]), client)) == "done"
            dear = {"look_up": ToolAction(estimate=usd(1))}
            with pytest.raises(BudgetExceededError) as caught:
                await finished(guard(it.agent(tools=[look_up]), client, tools=dear))
            assert caught.value.scope == f"tenant:{tenant}"
        assert it.requests == 3


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"refusal": "ignore"}, "refusal is 'ignore'; choose one of stop, tell_model"),
        ({"unit": "CREDITS"}, "counted in dollars or tokens"),
        ({"max_tokens": 3}, "max_tokens is 3"),
        ({"on_authority_down": "shrug"}, "on_authority_down is 'shrug'"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_wrong_option_is_found_when_the_agent_is_guarded(
    options: dict[str, Any], complaint: str
) -> None:
    with stage() as it:
        agent = it.agent()
        with pytest.raises(ConfigurationError, match=complaint):
            guard(agent, it.client, **options)
        assert type(agent).__module__ == "agents.agent"


@pytest.mark.parametrize(
    "make",
    [
        lambda client: CyclesModel(client, MODEL),
        CyclesModelProvider,
        CyclesRunHooks,
    ],
)
def test_what_is_not_a_client_is_found_at_once(make: Any) -> None:
    with pytest.raises(ConfigurationError, match="'http://localhost' is not a client"):
        make("http://localhost")


def test_options_do_not_stand_beside_guards_that_have_their_own() -> None:
    with stage() as it:
        guards = CallGuards(it.client)
        with pytest.raises(ConfigurationError, match="give max_tokens to CallGuards"):
            guard(it.agent(), guards, max_tokens=100)


def test_nobody_to_ask_is_found_when_the_agent_is_guarded() -> None:
    set_default_client(None)
    with stage() as it, pytest.raises(ConfigurationError, match="no client"):
        guard(it.agent())
