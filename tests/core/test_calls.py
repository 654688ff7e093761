"""What every adapter leaves to the core: estimates that are bounds, limits, caps, settlement."""

import pytest

from runcycles import CyclesClient, CyclesConfig
from runcycles.calls import DEFAULT_MAX_TOKENS, CallGuards, ModelRequest
from runcycles.errors import (
    BudgetExceededError,
    UnknownPriceError,
)
from runcycles.pricing import ModelUsage, PriceBook, TokenPrice
from runcycles.tool_actions import ToolAction
from runcycles.types import Caps, ReservationStatus, Unit, tokens, usd
from tests.core.calls_support import (
    ASKED,
    SHORT,
    AnsweredError,
    Answering,
    authority_with,
    calls_on,
)

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
