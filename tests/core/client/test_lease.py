from collections.abc import Callable
from typing import Any

import pytest

from runcycles.errors import CyclesTransportError, Problem
from runcycles.flows import Flow
from runcycles.heartbeat import Lease
from runcycles.ops import Extend, Extended
from runcycles.testing import FakeClock
from runcycles.wire import error_for

LOST = CyclesTransportError("no answer")


def lease(clock: FakeClock, **given: Any) -> Lease:
    """A lease that was granted this moment, without any time on the way."""
    now = clock.monotonic()
    values: dict[str, Any] = {
        "ttl_ms": 60_000,
        "remaining_ttl_ms": 60_000,
        "sent": now,
        "received": now,
        "request_timeout": 10.0,
        "key": "ab" * 16,
        **given,
    }
    return Lease("r1", clock=clock.monotonic, **values)


def refusal(status: int, code: str, retry_after_ms: int | None = None) -> Exception:
    op = Extend(idempotency_key="k", reservation_id="r1", extend_by_ms=1)
    problem = Problem(status=status, error_code=code, message="so", retry_after_ms=retry_after_ms)
    return error_for(op, problem)


def beat(
    held: Lease, answer: Extended | Exception, *, after: Callable[[], None] = lambda: None
) -> tuple[Extend, float | None]:
    """One beat: what it asked, and when the next one is due."""
    flow: Flow[float | None] = held.beat()
    op = next(flow)
    assert isinstance(op, Extend)
    after()
    try:
        if isinstance(answer, Exception):
            flow.throw(answer)
        else:
            flow.send(answer)
    except StopIteration as finished:
        return op, finished.value
    raise AssertionError("a beat asks once")


def extended(remaining_ttl_ms: int | None = 60_000) -> Extended:
    return Extended(expires_at_ms=1, remaining_ttl_ms=remaining_ttl_ms)


# ── when ─────────────────────────────────────────────────────────────────────────────────────


def test_the_first_beat_leaves_room_for_two_attempts_and_a_margin() -> None:
    """The protocol's worked example: lead 60 s, timeout 10 s, 1.5 s on the way → about 37 s."""
    clock = FakeClock()
    held = lease(clock, remaining_ttl_ms=61_500, sent=0.0, received=1.5)
    assert held.due == 1.5 + 37.0


def test_a_beat_is_due_later_the_shorter_a_request_may_take() -> None:
    clock = FakeClock()
    assert lease(clock, request_timeout=1.0).due == 57.0
    assert lease(clock, request_timeout=11.0).due == 37.0


@pytest.mark.parametrize(
    ("ttl_ms", "due"), [(20_000, 9.5), (10_000, 4.5), (5_000, 2.0), (4_000, 1.0)]
)
def test_a_short_lease_gives_its_requests_less_time_instead_of_giving_up(
    ttl_ms: int, due: float
) -> None:
    held = lease(FakeClock(), ttl_ms=ttl_ms, remaining_ttl_ms=ttl_ms)
    assert held.due == due
    assert held.sending.timeout is not None
    assert 2 * held.sending.timeout + 1 + due == pytest.approx(ttl_ms / 1_000)


def test_a_beat_extends_by_the_lease_that_was_asked_for_under_a_key_of_its_own() -> None:
    clock = FakeClock()
    held = lease(clock)
    clock.advance(39_000)
    first, due = beat(held, extended())
    assert (first.reservation_id, first.extend_by_ms) == ("r1", 60_000)
    assert due == 39.0 + 39.0
    second, _ = beat(held, extended())
    assert first.idempotency_key != second.idempotency_key


def test_the_authoritys_lease_counts_where_none_was_asked_for() -> None:
    held = lease(FakeClock(), ttl_ms=None, remaining_ttl_ms=30_000)
    assert beat(held, extended())[0].extend_by_ms == 30_000


def test_each_answer_is_read_for_itself() -> None:
    clock = FakeClock()
    held = lease(clock)
    clock.advance(39_000)
    _, due = beat(held, extended(81_000))
    assert due == 39.0 + 60.0


def test_a_slow_line_leaves_more_room() -> None:
    clock = FakeClock()
    held = lease(clock, request_timeout=1.0)
    assert held.due == 57.0
    _, due = beat(held, extended(), after=lambda: clock.advance(4_000))
    # 4 s on the way: lead 56 s, an attempt may take 8 s, and so is the margin
    assert due == 4.0 + 56.0 - 2 * 8.0 - 8.0


# ── trouble ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", [LOST, refusal(500, "INTERNAL_ERROR")])
def test_a_beat_that_fails_is_tried_again_with_its_key_and_said(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    held = lease(clock)  # attempts may take 10 s
    clock.advance(39_000)
    first, due = beat(held, fault)
    assert due == 39.0 + 21.0 / 4
    assert "r1" in caplog.text
    assert "trying again in 5.2 s" in caplog.text
    second, _ = beat(held, extended())
    assert second.idempotency_key == first.idempotency_key


def test_a_beat_waits_no_longer_than_half_a_minute() -> None:
    held = lease(FakeClock(), ttl_ms=600_000, remaining_ttl_ms=600_000)
    assert beat(held, LOST)[1] == 30.0


def test_a_beat_waits_no_longer_than_there_is_room_for_another_attempt() -> None:
    clock = FakeClock()
    held = lease(clock)
    clock.advance(48_000)  # 12 s left, of which an attempt and the margin need 11
    assert beat(held, LOST)[1] == 48.0 + 1.0


def test_a_beat_is_given_up_when_no_room_is_left(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    held = lease(clock)
    clock.advance(49_001)
    assert beat(held, LOST)[1] is None
    assert "r1 is not extended any more" in caplog.text


def test_a_beat_with_exactly_room_for_one_attempt_makes_it_at_once_and_only_once() -> None:
    clock = FakeClock()
    held = lease(clock)
    clock.advance(49_000)
    assert beat(held, LOST)[1] == 49.0
    assert beat(held, LOST)[1] is None


def test_a_success_forgets_the_failures_before_it() -> None:
    clock = FakeClock()
    held = lease(clock)
    clock.advance(49_000)
    beat(held, LOST)
    beat(held, extended())
    clock.advance(49_000)
    assert beat(held, LOST)[1] == 98.0


def test_a_throttled_beat_comes_back_exactly_when_it_was_told() -> None:
    clock = FakeClock()
    held = lease(clock)
    clock.advance(39_000)
    assert beat(held, refusal(429, "LIMIT_EXCEEDED", 7_000))[1] == 39.0 + 7.0


def test_a_throttled_beat_may_be_told_to_come_back_at_once() -> None:
    clock = FakeClock()
    held = lease(clock)
    clock.advance(39_000)
    assert beat(held, refusal(429, "LIMIT_EXCEEDED", 0))[1] == 39.0


@pytest.mark.parametrize("retry_after_ms", [None, 10_001])
def test_a_throttled_beat_without_time_for_that_is_given_up(retry_after_ms: int | None) -> None:
    clock = FakeClock()
    held = lease(clock)
    clock.advance(39_000)  # 21 s left, 10 of them are room
    assert beat(held, refusal(429, "LIMIT_EXCEEDED", retry_after_ms))[1] is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (410, "RESERVATION_EXPIRED"),
        (409, "RESERVATION_FINALIZED"),
        (409, "MAX_EXTENSIONS_EXCEEDED"),
        (409, "TENANT_CLOSED"),
        (404, "NOT_FOUND"),
        (403, "FORBIDDEN"),
        (400, "HTTP_400"),
    ],
)
def test_a_beat_that_is_refused_is_the_last(
    status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert beat(lease(FakeClock()), refusal(status, code))[1] is None
    assert code in caplog.text


def test_a_beat_refused_because_its_call_has_ended_is_no_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    held = lease(FakeClock())
    held.is_over = True
    assert beat(held, refusal(409, "RESERVATION_FINALIZED"))[1] is None
    assert caplog.text == ""


def test_a_lease_too_short_for_the_profile_is_extended_once_and_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    held = lease(FakeClock(), ttl_ms=2_000, remaining_ttl_ms=2_000)
    assert held.due == 0.0
    assert beat(held, extended(3_000))[1] is None
    assert "too short to be kept" in caplog.text


def test_an_extension_that_gives_enough_keeps_a_short_lease_going() -> None:
    held = lease(FakeClock(), ttl_ms=2_000, remaining_ttl_ms=2_000)
    assert beat(held, extended(10_000))[1] == 7.0


def test_one_immediate_extension_is_allowed_in_between() -> None:
    held = lease(FakeClock())
    assert beat(held, extended(1_000))[1] == 0.0
    assert beat(held, extended(1_000))[1] is None


# ── authorities that do not say how long is left ─────────────────────────────────────────────


def test_without_word_of_the_lease_it_is_extended_at_half_of_what_was_asked_for() -> None:
    clock = FakeClock()
    held = lease(clock, ttl_ms=20_000, remaining_ttl_ms=None)
    assert held.due == 10.0
    clock.advance(10_000)
    assert beat(held, extended(None))[1] == 20.0


def test_without_any_word_the_protocols_own_lease_is_assumed() -> None:
    held = lease(FakeClock(), ttl_ms=None, remaining_ttl_ms=None)
    assert held.due == 30.0
    assert beat(held, extended(None))[0].extend_by_ms == 60_000
