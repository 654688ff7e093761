"""What every adapter leaves to the core: tools and names, outages, streams, the log, settings."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from runcycles import AsyncCyclesClient
from runcycles.calls import CallGuards, ModelRequest
from runcycles.errors import (
    ActionDeniedError,
    BudgetExceededError,
    ConfigurationError,
    CyclesTransportError,
)
from runcycles.pricing import ModelUsage, PriceBook
from runcycles.tool_actions import ToolAction, cycles_action, scope_name
from runcycles.types import Caps, PolicyKeys, ReservationStatus, Subject, Unit, tokens, usd
from tests.core.calls_support import (
    ASKED,
    SHORT,
    AnsweredError,
    Answering,
    authority_with,
    calls_on,
)

# ── tools and names ──────────────────────────────────────────────────────────────────────────


HOST = PolicyKeys(host="smtp.acme.com")


@cycles_action("message.email.send", toolset="mail", estimate=usd("0.01"), policy_keys=HOST)
def send_email(to: str) -> str:
    return to


def test_a_mark_on_a_tool_names_its_action() -> None:
    authority = authority_with(usd(1))
    call = calls_on(authority).tool("send_email", None, send_email)
    assert call.guard.action.kind == "message.email.send"
    assert call.guard.subject.toolset == "mail"
    assert call.guard.estimate == usd("0.01")
    assert call.guard.action.policy_keys == HOST
    call.settle()


def test_a_map_wins_over_a_mark() -> None:
    calls = calls_on(
        authority_with(usd(1)), tools={"send_email": ToolAction(kind="crm.record.read")}
    )
    assert calls.tool("send_email", send_email).guard.action.kind == "crm.record.read"


def test_a_tool_nobody_mapped_is_asked_about_and_costs_nothing() -> None:
    authority = authority_with(usd(1))
    call = calls_on(authority).tool("mystery")
    call.settle()
    assert call.guard.action.kind == "unknown.call"
    assert authority.account("tenant:acme").spent == 0
    assert len(authority.reservations()) == 1


def test_a_tool_that_its_caps_rule_out_is_refused_and_nothing_stays_held() -> None:
    inner = authority_with(usd(1))
    authority = Answering(inner, Caps(tool_denylist=("pay",)))
    calls = calls_on(
        authority, tools={"pay": ToolAction(kind="payment.charge", estimate=usd("0.1"))}
    )
    with pytest.raises(ActionDeniedError, match="rule out the tool pay"):
        calls.tool("pay")
    assert [each.status for each in inner.reservations()] == [ReservationStatus.RELEASED]
    calls.tool("look").settle()


def test_names_of_agents_and_runs_become_scopes_and_dimensions() -> None:
    authority = authority_with(usd(1))
    authority.add_budget("tenant:acme/agent:senior-writer", usd(1))
    call = calls_on(authority).model(ASKED, agent="Senior Writer", run_id="run 7")
    call.settle(AnsweredError(500))
    (reservation,) = authority.reservations()
    assert reservation.subject.agent == "Senior-Writer"
    assert reservation.subject.dimensions == {"run_id": "run 7"}
    assert reservation.budgeted_scopes == ("tenant:acme", "tenant:acme/agent:senior-writer")


def test_a_given_subject_wins_over_a_frameworks_name() -> None:
    calls = calls_on(authority_with(usd(1)), subject=Subject(agent="bot", workspace="prod"))
    subject = calls.model(ASKED, agent="Someone else").guard.subject
    assert (subject.agent, subject.workspace, subject.tenant) == ("bot", "prod", "acme")


@pytest.mark.parametrize(
    ("name", "value"),
    [(None, None), ("", None), ("Señor Ünïcode/7", "Se-or--n-code-7"), ("x" * 200, "x" * 128)],
)
def test_any_name_becomes_a_scope_value(name: str | None, value: str | None) -> None:
    assert scope_name(name) == value


# ── an authority that is down ────────────────────────────────────────────────────────────────


def test_a_call_stops_when_nobody_can_be_asked() -> None:
    authority = Answering(authority_with(usd(1)))
    authority.is_down = True
    with pytest.raises(CyclesTransportError):
        calls_on(authority).model(ASKED)


def test_a_call_may_run_unasked_and_is_recorded_when_the_authority_is_back() -> None:
    inner = authority_with(usd(1))
    authority = Answering(inner)
    authority.is_down = True
    call = calls_on(authority, on_authority_down="run_and_record").model(ASKED)
    authority.is_down = False
    call.used(SHORT)
    call.settle()
    assert inner.account("tenant:acme").spent == PriceBook().cost("gpt-4o", SHORT).amount


# ── streams, async, log, settings ────────────────────────────────────────────────────────────


def usage_of(item: str) -> ModelUsage | None:
    return SHORT if item == "end" else None


def test_a_stream_is_charged_what_it_said_it_used() -> None:
    authority = authority_with(usd(1))
    call = calls_on(authority).model(ASKED)
    assert list(call.stream(["a", "end"], usage_of)) == ["a", "end"]
    assert authority.account("tenant:acme").spent == PriceBook().cost("gpt-4o", SHORT).amount


def test_a_stream_left_early_is_closed_and_charged_its_estimate() -> None:
    authority = authority_with(tokens(1_000))
    calls = calls_on(authority, unit=Unit.TOKENS)
    call = calls.model(ModelRequest(model="m", input_tokens=100, max_tokens=100))
    closed: list[str] = []

    def source() -> Iterator[str]:
        try:
            yield "a"
            yield "end"
        finally:
            closed.append("closed")

    stream = call.stream(source(), usage_of)
    assert next(stream) == "a"
    stream.close()
    assert closed == ["closed"]
    assert authority.account("tenant:acme").spent == 200


def test_a_stream_that_fails_is_settled_and_its_error_arrives() -> None:
    authority = authority_with(usd(1))
    call = calls_on(authority).model(ASKED)

    def source() -> Iterator[str]:
        yield "a"
        raise AnsweredError(500)

    with pytest.raises(AnsweredError):
        list(call.stream(source(), usage_of))
    assert authority.account("tenant:acme").spent == 0


async def test_async_calls_are_guarded_alike() -> None:
    authority = authority_with(usd(1))
    calls = CallGuards(AsyncCyclesClient(authority=authority))
    call = await calls.model_async(ASKED)
    call.used(SHORT)
    await call.settle()
    tool = await calls.tool_async("mystery")
    await tool.settle()
    assert authority.account("tenant:acme").spent == PriceBook().cost("gpt-4o", SHORT).amount


async def test_an_async_request_is_shortened_alike() -> None:
    authority = authority_with(tokens(1_000))
    calls = CallGuards(AsyncCyclesClient(authority=authority), unit=Unit.TOKENS)
    call = await calls.model_async(ModelRequest(model="m", input_tokens=100))
    assert call.max_tokens == 900


async def test_an_async_stream_left_early_is_closed_and_charged() -> None:
    authority = authority_with(tokens(1_000))
    calls = CallGuards(AsyncCyclesClient(authority=authority), unit=Unit.TOKENS)
    call = await calls.model_async(ModelRequest(model="m", input_tokens=100, max_tokens=100))

    async def source() -> AsyncIterator[str]:
        yield "a"
        yield "end"

    stream = call.stream(source(), usage_of)
    assert await anext(stream) == "a"
    await stream.aclose()
    assert authority.account("tenant:acme").spent == 200


def test_each_decision_is_one_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "runcycles.calls")
    calls = calls_on(authority_with(tokens(150)), unit=Unit.TOKENS)
    request = ModelRequest(model="m", input_tokens=50, max_tokens=100)
    calls.model(request, agent="bot", run_id="r")
    with pytest.raises(BudgetExceededError):
        calls.model(request)
    allowed, denied = (json.loads(record.getMessage()) for record in caplog.records)
    assert (allowed["decision"], allowed["agent"], allowed["run_id"]) == ("ALLOW", "bot", "r")
    assert (denied["decision"], denied["reason"]) == ("DENY", "BUDGET_EXCEEDED")
    assert denied["estimate"] == 150


def test_a_failure_is_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "runcycles.calls")
    authority = Answering(authority_with(usd(1)))
    authority.is_down = True
    with pytest.raises(CyclesTransportError):
        calls_on(authority).tool("look")
    (line,) = (json.loads(record.getMessage()) for record in caplog.records)
    assert (line["decision"], line["reason"]) == ("DENY", "CyclesTransportError")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"unit": Unit.CREDITS}, "dollars or tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 4_096.0}, "max_tokens"),
        ({"on_authority_down": "shrug"}, "on_authority_down"),
    ],
)
def test_a_wrong_setting_is_refused_at_construction(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        calls_on(authority_with(usd(1)), **options)


def test_a_unit_may_be_written_as_text() -> None:
    authority = authority_with(tokens(10_000))
    call = calls_on(authority, unit="TOKENS").model(ASKED)
    call.used(SHORT)
    call.settle()
    assert authority.account("tenant:acme").spent == 160
