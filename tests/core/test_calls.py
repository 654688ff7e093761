"""What every adapter leaves to the core: estimates that are bounds, limits, caps, settlement."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

import pytest

from runcycles import AsyncCyclesClient, CyclesClient, CyclesConfig
from runcycles.calls import DEFAULT_MAX_TOKENS, CallGuards, ModelRequest
from runcycles.errors import (
    ActionDeniedError,
    BudgetExceededError,
    ConfigurationError,
    CyclesTransportError,
    UnknownPriceError,
)
from runcycles.ops import Allowed, Op, Reserve
from runcycles.pricing import ModelUsage, PriceBook, TokenPrice
from runcycles.testing import InMemoryAuthority
from runcycles.tool_actions import ToolAction, cycles_action, scope_name
from runcycles.transports import AsyncTransport, Transport
from runcycles.types import Amount, Caps, ReservationStatus, Subject, Unit, Verdict, tokens, usd

R = TypeVar("R")
SHORT = ModelUsage(input_tokens=60, output_tokens=100)
ASKED = ModelRequest(model="gpt-4o", input_tokens=100)


def authority_with(budget: Amount) -> InMemoryAuthority:
    return InMemoryAuthority(budgets={"tenant:acme": budget})


def calls_on(authority: Any, **options: Any) -> CallGuards:
    return CallGuards(CyclesClient(authority=authority), **options)


class Answering:
    """A real authority whose answers are changed on their way."""

    def __init__(self, inner: InMemoryAuthority, caps: Caps | None = None) -> None:
        self.inner = inner
        self.caps = caps
        self.is_down = False
        self.tenant = inner.tenant

    def transport(self) -> Transport:
        return self

    def async_transport(self) -> AsyncTransport:
        raise NotImplementedError

    def send(self, op: Op[R]) -> R:
        if self.is_down:
            raise CyclesTransportError("nobody answers")
        answer: Any = self.inner.send(op)
        if isinstance(op, Reserve) and self.caps is not None and isinstance(answer, Allowed):
            answer = Allowed(
                decision=Verdict.ALLOW_WITH_CAPS,
                reservation_id=answer.reservation_id,
                remaining_ttl_ms=answer.remaining_ttl_ms,
                caps=self.caps,
            )
        result: R = answer
        return result

    def close(self) -> None:
        """Nothing is open."""


# ── models ───────────────────────────────────────────────────────────────────────────────────


def test_a_model_call_holds_its_bound_and_is_charged_its_usage() -> None:
    authority = authority_with(usd(1))
    call = calls_on(authority).model(ASKED)
    held = authority.account("tenant:acme").reserved
    bound = PriceBook().bound("gpt-4o", input_tokens=100, output_tokens=DEFAULT_MAX_TOKENS)
    assert (call.max_tokens, held) == (DEFAULT_MAX_TOKENS, bound.amount)
    call.used(SHORT)
    call.settle()
    account = authority.account("tenant:acme")
    assert (account.reserved, account.spent) == (0, PriceBook().cost("gpt-4o", SHORT).amount)


def test_a_limit_of_the_requests_own_is_the_bound() -> None:
    authority = authority_with(tokens(1_000))
    request = ModelRequest(model="any", input_tokens=100, max_tokens=50)
    call = calls_on(authority, unit=Unit.TOKENS).model(request)
    assert (call.max_tokens, authority.account("tenant:acme").reserved) == (50, 150)


def test_a_request_without_a_limit_is_shortened_to_what_is_left() -> None:
    authority = authority_with(tokens(1_000))
    call = calls_on(authority, unit=Unit.TOKENS).model(ModelRequest(model="m", input_tokens=100))
    assert call.max_tokens == 900
    assert authority.account("tenant:acme").reserved == 1_000


def test_a_shortened_request_leaves_room_for_others_where_it_can() -> None:
    authority = authority_with(tokens(4_000))
    call = calls_on(authority, unit=Unit.TOKENS).model(ModelRequest(model="m", input_tokens=100))
    assert call.max_tokens == 900
    assert authority.account("tenant:acme").remaining == 3_000


def test_a_limit_of_the_requests_own_is_never_shortened() -> None:
    authority = authority_with(tokens(1_000))
    calls = calls_on(authority, unit=Unit.TOKENS)
    with pytest.raises(BudgetExceededError):
        calls.model(ModelRequest(model="m", input_tokens=100, max_tokens=901))
    assert authority.reservations() == []


def test_a_request_that_would_get_no_useful_answer_is_refused() -> None:
    authority = authority_with(tokens(115))
    calls = calls_on(authority, unit=Unit.TOKENS)
    with pytest.raises(BudgetExceededError) as refusal:
        calls.model(ModelRequest(model="m", input_tokens=100))
    assert refusal.value.remaining == 115
    assert authority.account("tenant:acme").reserved == 0


def test_a_dollar_runs_ten_short_calls_of_the_dearest_model() -> None:
    authority = authority_with(usd(1))
    calls = calls_on(authority)
    for _ in range(10):
        call = calls.model(ModelRequest(model="o1-pro", input_tokens=100))
        assert call.max_tokens is not None
        assert call.max_tokens >= 100
        call.used(SHORT)
        call.settle()
    assert authority.account("tenant:acme").remaining >= 0


def test_a_model_without_a_price_never_runs() -> None:
    authority = authority_with(usd(1))
    with pytest.raises(UnknownPriceError):
        calls_on(authority).model(ModelRequest(model="who-knows", input_tokens=1))
    assert authority.reservations() == []


def test_a_model_without_a_price_may_cost_what_you_chose() -> None:
    authority = authority_with(usd(1))
    prices = PriceBook(unknown_price=usd("0.05"))
    call = calls_on(authority, prices=prices).model(ModelRequest(model="mine", input_tokens=1))
    call.used(SHORT)
    call.settle()
    assert authority.account("tenant:acme").spent == usd("0.05").amount


def test_a_call_without_usage_is_charged_its_estimate_and_says_so() -> None:
    authority = authority_with(tokens(10_000))
    calls = calls_on(authority, unit=Unit.TOKENS)
    call = calls.model(ModelRequest(model="m", input_tokens=100, max_tokens=100))
    call.used(None)
    call.settle()
    (reservation,) = authority.reservations()
    assert reservation.charged == 200
    assert reservation.committed_metadata == {"actual_source": "estimate"}


def test_a_usage_that_cannot_be_priced_is_charged_as_the_estimate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    authority = authority_with(usd(1))
    calls = calls_on(authority, prices=PriceBook({"odd": TokenPrice(input="1", output="1")}))
    call = calls.model(ModelRequest(model="odd", input_tokens=10, max_tokens=10))
    call.used(ModelUsage(input_tokens=-1, output_tokens=1))
    call.settle()
    assert authority.account("tenant:acme").spent == 2_000
    assert "could not be priced" in caplog.text


def test_caps_lower_the_limit_of_a_request() -> None:
    authority = Answering(authority_with(usd(1)), Caps(max_tokens=64))
    assert calls_on(authority).model(ASKED).max_tokens == 64


def test_shadow_mode_changes_nothing_about_the_request() -> None:
    config = CyclesConfig(base_url="embedded:", mode="shadow")  # type: ignore[arg-type]  # text is read
    authority = authority_with(tokens(10))
    calls = CallGuards(CyclesClient(config, authority=authority), unit=Unit.TOKENS)
    call = calls.model(ModelRequest(model="m", input_tokens=100))
    assert call.max_tokens is None
    call.used(SHORT)
    call.settle()
    assert authority.account("tenant:acme").spent == 10


# ── errors ───────────────────────────────────────────────────────────────────────────────────


class AnsweredError(Exception):
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


class ConnectError(Exception):
    """Named as HTTP libraries name it."""


def caused_by(cause: BaseException) -> Exception:
    error = RuntimeError("the client gave up")
    error.__cause__ = cause
    return error


def loop() -> Exception:
    error = RuntimeError("its own cause")
    error.__cause__ = error
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AnsweredError(500), ReservationStatus.RELEASED),
        (AnsweredError(429), ReservationStatus.RELEASED),
        (caused_by(ConnectError()), ReservationStatus.RELEASED),
        (AnsweredError(200), ReservationStatus.COMMITTED),
        (ValueError("the answer could not be read"), ReservationStatus.COMMITTED),
        (TimeoutError(), ReservationStatus.COMMITTED),
        (KeyboardInterrupt(), ReservationStatus.COMMITTED),
        (loop(), ReservationStatus.COMMITTED),
    ],
    ids=repr,
)
def test_a_model_call_is_given_back_only_where_its_error_proves_that_nothing_ran(
    error: BaseException, status: ReservationStatus
) -> None:
    authority = authority_with(usd(1))
    call = calls_on(authority).model(ASKED)
    call.settle(error)
    assert [each.status for each in authority.reservations()] == [status]


def test_an_error_of_an_earlier_attempt_proves_nothing_about_this_one() -> None:
    authority = authority_with(usd(1))
    call = calls_on(authority).model(ASKED)
    error = TimeoutError()
    error.__context__ = AnsweredError(500)
    call.settle(error)
    assert authority.reservations()[0].status is ReservationStatus.COMMITTED


def test_a_tool_that_raised_is_charged_whatever_it_raised() -> None:
    authority = authority_with(usd(1))
    calls = calls_on(
        authority, tools={"pay": ToolAction(kind="payment.charge", estimate=usd("0.1"))}
    )
    calls.tool("pay").settle(AnsweredError(500))
    assert authority.account("tenant:acme").spent == usd("0.1").amount


# ── tools and names ──────────────────────────────────────────────────────────────────────────


@cycles_action("message.email.send", toolset="mail", estimate=usd("0.01"))
def send_email(to: str) -> str:
    return to


def test_a_mark_on_a_tool_names_its_action() -> None:
    authority = authority_with(usd(1))
    call = calls_on(authority).tool("send_email", None, send_email)
    assert call.guard.action.kind == "message.email.send"
    assert call.guard.subject.toolset == "mail"
    assert call.guard.estimate == usd("0.01")
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
