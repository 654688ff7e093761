"""What goes wrong at the provider, at the authority, or in what we are given."""

import socket
from typing import Any

import pytest
from crewai import Agent, Crew
from crewai.llms.base_llm import BaseLLM, llm_call_context
from crewai.tools import tool
from pydantic import BaseModel

from runcycles import AsyncCyclesClient, CyclesClient, CyclesConfig
from runcycles.adapter_suite import MODEL, Watched
from runcycles.config import Mode
from runcycles.errors import (
    BudgetExceededError,
    CyclesTransportError,
    SpendNotRecordedError,
    UnauthorizedError,
    UnknownPriceError,
)
from runcycles.ops import Commit, Op, Record, Release, Reserve
from runcycles.pricing import PriceBook, TokenPrice
from runcycles.testing.model_server import Reply
from runcycles.types import usd
from runcycles_crewai import RunStopped, cycles_crew
from tests.adapters.crewai.engine import scripted
from tests.adapters.crewai.rig import agent_of, calling, crew_of, rigged, task_for
from tests.adapters.crewai.test_crews import PRICE
from tests.support.served import served


def closed_port() -> int:
    """A port on which nobody listens: it was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Recording(Watched):
    """An authority that keeps what it was told, and can be told to fall silent."""

    def __init__(self, silent_on: tuple[type, ...] = ()) -> None:
        super().__init__()
        self.told: list[Any] = []
        self._silent_on = silent_on

    def send(self, op: Op[Any]) -> Any:
        self.told.append(op)
        if isinstance(op, self._silent_on):
            raise CyclesTransportError("nobody answers")
        return super().send(op)

    def kinds(self) -> list[str]:
        return [type(op).__name__ for op in self.told]


# ── the provider ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_error_status_costs_nothing_and_the_next_attempt_is_asked_for(status: int) -> None:
    with rigged(faults=[f"{status}@1"]) as rig:
        with cycles_crew(rig.client):
            llm = rig.llm()
            if status in {400, 404}:
                with pytest.raises(Exception, match=str(status)):
                    llm.call("hello")
                llm.call("hello")
            else:
                crew_of(llm).kickoff()
        assert rig.requests == len(rig.watched.allowed) == 2
        assert rig.watched.spent == PRICE
        rig.assert_settled()


def test_every_attempt_at_a_provider_that_stays_down_is_asked_for() -> None:
    with rigged(faults=["500@*"]) as rig:
        with cycles_crew(rig.client), pytest.raises(Exception, match="500"):
            crew_of(rig.llm()).kickoff()
        assert rig.requests == len(rig.watched.allowed) > 1
        assert rig.watched.spent == 0
        rig.assert_settled()


def test_a_provider_that_cannot_be_reached_costs_nothing() -> None:
    with rigged() as rig:
        llm = scripted(f"http://127.0.0.1:{closed_port()}/v1")
        with cycles_crew(rig.client), pytest.raises(ConnectionError):
            llm.call("hello")
        assert (len(rig.watched.allowed), rig.watched.spent) == (1, 0)
        rig.assert_settled()


@pytest.mark.parametrize("fault", ["malformed", "drop", "cut"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_got_lost_is_charged_as_it_was_estimated(fault: str, stream: bool) -> None:
    with rigged(faults=[f"{fault}@1"]) as rig:
        with cycles_crew(rig.client), pytest.raises(Exception):  # noqa: B017, PT011 - the client's
            rig.llm(stream=stream).call("hello")
        (asked,) = rig.watched.allowed
        assert rig.requests == 1
        assert rig.watched.spent == asked.estimate.amount
        rig.assert_settled()


def test_an_answer_of_the_wrong_shape_is_charged_as_it_was_estimated() -> None:
    """The model answered and was paid; that the text does not fit is not its provider's fault."""

    class Price(BaseModel):
        euros: int

    with rigged() as rig:
        with cycles_crew(rig.client), pytest.raises(Exception, match=r"Price|JSON|euros"):
            rig.llm().call("hello", response_model=Price)
        assert rig.requests == len(rig.watched.allowed)
        assert rig.watched.spent >= PRICE
        rig.assert_settled()


def test_a_model_without_usage_is_charged_as_it_was_estimated() -> None:
    def nothing_counted(*_: Any) -> Reply:
        return Reply(text="four euros", prompt_tokens=0, completion_tokens=0)

    with rigged(nothing_counted) as rig:
        with cycles_crew(rig.client):
            rig.llm().call("hello")
        (asked,) = rig.watched.allowed
        assert rig.watched.spent == asked.estimate.amount
        rig.assert_settled()


def test_an_error_from_before_is_not_taken_for_the_calls_own() -> None:
    """A fallback runs while the first model's refusal to connect is still being handled."""

    class Fallback(BaseLLM):
        def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            with llm_call_context():
                self._emit_call_started_event(messages)
                self._emit_call_failed_event("it answered with nonsense")
            return ""

    with rigged() as rig, cycles_crew(rig.client):
        try:
            socket.create_connection(("127.0.0.1", closed_port()), timeout=5)
        except ConnectionRefusedError:
            Fallback(model=MODEL).call("hello")
        rig.assert_settled()
        assert rig.watched.spent == rig.watched.allowed[0].estimate.amount


def test_a_tool_that_cannot_connect_does_not_make_its_model_free() -> None:
    def lost(query: str) -> str:
        raise ConnectionRefusedError

    with rigged(calling("lost")) as rig:
        with cycles_crew(rig.client):
            schema: Any = {
                "type": "function",
                "function": {
                    "name": "lost",
                    "description": "d",
                    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
                },
            }
            rig.llm().call("hello", tools=[schema], available_functions={"lost": lost})
        assert rig.requests == 1
        assert rig.watched.spent == rig.watched.allowed[0].estimate.amount


# ── the authority ────────────────────────────────────────────────────────────────────────────


def test_an_authority_that_is_gone_means_no_request_at_all() -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    config = CyclesConfig(base_url=address, api_key="k", tenant="acme", retry_enabled=False)
    with rigged() as rig, CyclesClient(config) as client, cycles_crew(client):
        with pytest.raises(CyclesTransportError) as caught:
            crew_of(rig.llm()).kickoff()
        assert isinstance(caught.value, RunStopped)
        assert rig.requests == 0


def test_who_prefers_to_run_unasked_runs_and_is_recorded() -> None:
    authority = Recording()
    down = Recording(silent_on=(Reserve,))
    for each, kinds in ((authority, ["Reserve", "Commit"]), (down, ["Reserve", "Record"])):
        config = CyclesConfig(base_url="embedded:", retry_enabled=False)
        with rigged() as rig, CyclesClient(config, authority=each) as client:
            with cycles_crew(client, on_authority_down="run_and_record"):
                crew_of(rig.llm()).kickoff()
            assert (rig.requests, each.kinds()) == (1, kinds)
        assert each.told[-1].actual.amount == PRICE


def test_a_wrong_key_means_no_request_and_the_right_one_is_charged() -> None:
    with served() as authority, rigged() as rig:
        tenant = authority.tenant(allocated=10**8, unit="USD_MICROCENTS")
        for key, error in (("cyc_wrong", UnauthorizedError), (authority.key_of(tenant), None)):
            config = CyclesConfig(base_url=authority.base_url, api_key=key, tenant=tenant)
            with CyclesClient(config) as client, cycles_crew(client):
                if error is None:
                    crew_of(rig.llm()).kickoff()
                else:
                    with pytest.raises(error):
                        crew_of(rig.llm()).kickoff()
                    assert rig.requests == 0
        assert rig.requests == 1


def test_an_async_client_serves_as_well() -> None:
    watched = Watched()
    with rigged() as rig, cycles_crew(AsyncCyclesClient(authority=watched)):
        crew_of(rig.llm()).kickoff()
        assert len(watched.allowed) == rig.requests == 1


def test_a_commit_that_does_not_arrive_is_told_and_ends_the_run() -> None:
    authority = Recording(silent_on=(Commit, Record, Release))
    config = CyclesConfig(base_url="embedded:", retry_enabled=False)
    with rigged(calling("look_up")) as rig, CyclesClient(config, authority=authority) as client:

        @tool("look_up")
        def look_up(query: str) -> str:
            """Look something up."""
            return query

        with cycles_crew(client), pytest.raises(SpendNotRecordedError) as caught:
            crew_of(rig.llm(), look_up).kickoff()
        assert isinstance(caught.value, RunStopped)
        assert rig.requests == 1


def test_shadow_mode_asks_records_and_stops_nothing() -> None:
    authority = Recording()
    config = CyclesConfig(base_url="embedded:", mode=Mode.SHADOW)

    @tool("look_up")
    def look_up(query: str) -> str:
        """Look something up."""
        return query

    with rigged(calling("look_up")) as rig, CyclesClient(config, authority=authority) as client:
        with cycles_crew(client):
            crew_of(rig.llm(), look_up).kickoff()
        assert rig.requests == 2
        assert [request.max_tokens for request in rig.heard] == [None, None]
    assert authority.kinds() == ["Reserve", "Record"] * 3
    assert all(op.dry_run for op in authority.told[::2])


def test_shadow_mode_runs_what_a_budget_would_refuse() -> None:
    authority = Watched(budget=usd("0.000001"))
    config = CyclesConfig(base_url="embedded:", mode=Mode.SHADOW)
    with rigged() as rig, CyclesClient(config, authority=authority) as client:
        with cycles_crew(client):
            crew_of(rig.llm()).kickoff()
        assert rig.requests == 1


# ── what we are given ────────────────────────────────────────────────────────────────────────


def test_a_model_whose_price_nobody_knows_is_not_asked() -> None:
    with rigged() as rig, cycles_crew(rig.client):
        llm = rig.llm()
        llm.model = "our-own-model"
        with pytest.raises(UnknownPriceError) as caught:
            crew_of(llm).kickoff()
        assert isinstance(caught.value, RunStopped)
        assert (rig.requests, rig.asked) == (0, [])


def test_a_model_of_ones_own_has_ones_own_price() -> None:
    prices = PriceBook({"our-own-model": TokenPrice("1", "2")})
    with rigged() as rig, cycles_crew(rig.client, prices=prices):
        llm = rig.llm()
        llm.model = "our-own-model"
        llm.call("hello")
        assert rig.watched.spent == 30 * 100 + 20 * 200


def test_a_broken_setting_inside_a_call_stops_it() -> None:
    """Whatever goes wrong in a hook, CrewAI must not make the call."""

    class Broken(PriceBook):
        def bound(self, *args: Any, **kwargs: Any) -> Any:
            raise ZeroDivisionError

    with rigged() as rig, cycles_crew(rig.client, prices=Broken()):
        with pytest.raises(RunStopped, match="ZeroDivisionError"):
            crew_of(rig.llm()).kickoff()
        assert rig.requests == 0


def test_a_refusal_in_one_parallel_task_ends_the_crew() -> None:
    with rigged(deny_at=1) as rig, cycles_crew(rig.client):
        agents = [agent_of(rig.llm(), role=f"buyer-{number}") for number in range(2)]
        tasks = [task_for(agent, async_execution=True) for agent in agents[:1]]
        with pytest.raises(BudgetExceededError):
            Crew(agents=list(agents), tasks=[*tasks, task_for(agents[1])]).kickoff()
        rig.assert_settled()


def test_an_agent_without_a_name_does_not_break_the_question() -> None:
    with rigged() as rig, cycles_crew(rig.client):
        agent = Agent(role="", goal="g", backstory="b", llm=rig.llm())
        Crew(agents=[agent], tasks=[task_for(agent)]).kickoff()
        assert [op.subject.agent for op in rig.watched.asked] == [None]
