import logging
import threading
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import anyio
import pytest

from runcycles import (
    Caps,
    ConfigurationError,
    Subject,
    Unit,
    current_reservation,
    tokens,
    usd,
)
from runcycles.ops import Allowed, Commit, Decide, Extend, Reserve
from tests.core.guard.lines import ACTION, CALL, Line, ModelError

# ── the ordinary life of a call ──────────────────────────────────────────────────────────────────


def test_what_a_call_records_is_charged_and_the_rest_given_back() -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        assert line.reserved == 100
        spend.record(30)
        spend.record(tokens(12))
    assert (line.spent, line.reserved) == (42, 0)


def test_a_call_that_records_nothing_is_charged_its_estimate_and_marked() -> None:
    line = Line()
    with line.client.guard(**CALL):
        pass
    [commit] = line.unreliable.questions(Commit)
    assert commit.actual == tokens(100)
    assert commit.metadata == {"actual_source": "estimate"}


def test_an_amount_that_is_known_beforehand_is_charged() -> None:
    line = Line()
    with line.client.guard(**CALL, actual=7) as spend:
        spend.record(50)
    [commit] = line.unreliable.questions(Commit)
    assert (commit.actual, commit.metadata) == (tokens(7), None)


def test_a_call_may_use_more_than_its_estimate() -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        spend.record(140)
        assert spend.remaining() == -40
    assert line.spent == 140


def test_inside_a_guard_the_call_knows_about_itself() -> None:
    line = Line()
    guard = line.client.guard(**CALL, subject=Subject(agent="writer"))
    assert (guard.decision, guard.reservation_id) == (None, None)
    with guard as spend:
        assert isinstance(spend.decision, Allowed)
        assert spend.reservation_id == line.authority.reservations()[0].reservation_id
        assert spend.subject == Subject(tenant="acme", agent="writer")
        assert spend.action == ACTION
        assert spend.estimate == tokens(100)
        assert spend.remaining() == 100
        assert spend.caps == Caps()


def test_the_caps_of_a_permission_are_at_hand() -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        spend.decision = Allowed(caps=Caps(max_tokens=64))
        assert spend.caps.max_tokens == 64


def test_one_key_and_one_trace_go_through_the_whole_life_of_a_call() -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        trace_id = spend.trace_id
    [reserve], [commit] = line.unreliable.questions(Reserve), line.unreliable.questions(Commit)
    assert reserve.idempotency_key == commit.idempotency_key
    assert trace_id == reserve.idempotency_key.replace("-", "")


def test_a_key_of_ones_own_is_used() -> None:
    line = Line()
    with line.client.guard(**CALL, idempotency_key="run-7:call-2:1") as spend:
        assert len(spend.trace_id) == 32
    assert line.authority.reservations()[0].idempotency_key == "run-7:call-2:1"


def test_a_reservation_is_made_as_it_was_asked_for() -> None:
    line = Line()
    asked: Any = {
        "ttl_ms": 30_000,
        "grace_period_ms": 1_000,
        "metadata": {"ticket": 7},
        "dimensions": {"team": "red"},
    }
    with line.client.guard(**CALL, **asked):
        pass
    [reserve] = line.unreliable.questions(Reserve)
    assert (reserve.ttl_ms, reserve.grace_period_ms, reserve.metadata) == (
        30_000,
        1_000,
        {"ticket": 7},
    )
    assert reserve.subject == Subject(tenant="acme", dimensions={"team": "red"})


def test_numbers_are_microcents_unless_a_unit_is_named() -> None:
    guard = Line().client.guard(action=ACTION, estimate=1_000)
    assert guard.estimate == usd("0.00001")
    guard = Line().client.guard(action=ACTION, estimate=1_000, unit=Unit.TOKENS)
    assert guard.estimate == tokens(1_000)


# ── while it runs ────────────────────────────────────────────────────────────────────────────


def test_a_call_that_takes_long_is_kept_alive() -> None:
    extended = threading.Event()
    line = Line({Extend: [extended.set]})
    with line.client.guard(**CALL, ttl_ms=1_000):  # so short that it is extended at once
        assert extended.wait(5)
    [extend] = line.unreliable.questions(Extend)
    assert extend.extend_by_ms == 1_000


async def test_an_async_call_that_takes_long_is_kept_alive() -> None:
    extended = threading.Event()
    line = Line({Extend: [extended.set]})
    async with line.async_client.guard(**CALL, ttl_ms=1_000):
        assert await anyio.to_thread.run_sync(extended.wait, 5)


def test_a_call_that_is_over_soon_is_not_extended() -> None:
    line = Line()
    with line.client.guard(**CALL):
        pass
    assert line.asked() == ["Reserve", "Commit"]


# ── the current reservation ──────────────────────────────────────────────────────────────────────


def test_the_innermost_guard_is_the_current_reservation() -> None:
    client = Line().client
    assert current_reservation() is None
    with client.guard(**CALL) as outer:
        assert current_reservation() is outer
        with client.guard(**CALL) as inner:
            assert current_reservation() is inner
        assert current_reservation() is outer
    assert current_reservation() is None


def test_a_failing_inner_call_leaves_the_outer_one_current() -> None:
    client = Line().client
    with client.guard(**CALL) as outer:
        with pytest.raises(ModelError), client.guard(**CALL):
            raise ModelError
        assert current_reservation() is outer


def test_a_guard_opened_by_hand_is_not_current() -> None:
    guard = Line().client.guard(**CALL).open()
    assert current_reservation() is None
    guard.settle()


async def test_a_guard_opened_by_hand_may_be_left_like_a_block() -> None:
    line = Line()
    with ExitStack() as stack:
        stack.push(line.client.guard(**CALL).open())
    async with AsyncExitStack() as async_stack:
        async_stack.push_async_exit(await line.async_client.guard(**CALL).open())
    assert (line.spent, line.reserved) == (200, 0)


# ── options ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "option",
    [
        {"estimate": -1},
        {"estimate": 1.5},
        {"estimate": True},
        {"estimate": 2**63},
        {"ttl_ms": 999},
        {"ttl_ms": 86_400_001},
        {"ttl_ms": 1_000.0},
        {"grace_period_ms": -1},
        {"grace_period_ms": 60_001},
        {"actual": -1},
        {"actual": usd("1")},
        {"on_error": "forget"},
        {"on_authority_down": "hope"},
    ],
)
def test_an_option_that_cannot_be_is_found_before_anything_runs(option: dict[str, Any]) -> None:
    line = Line()
    with pytest.raises(ConfigurationError):
        line.client.guard(**{**CALL, **option})
    assert line.asked() == []


def test_nothing_is_formatted_for_a_log_that_nobody_reads(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG), Line().client.guard(**CALL):
        pass
    assert [record for record in caplog.records if record.name == "runcycles"] == []


def test_asking_beforehand_holds_nothing() -> None:
    line = Line()
    assert isinstance(line.client.decide(**CALL), Allowed)
    assert line.reserved == 0
    assert line.asked() == [Decide.__name__]
