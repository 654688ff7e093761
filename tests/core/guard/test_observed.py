"""A tenant that only observes: every call runs, and what would have been refused is told."""

import logging

import pytest

from runcycles import Allowed, BudgetExceededError, Caps, Denied, ObserveMode, tokens, usd
from runcycles.ops import Record
from tests.core.calls_support import ASKED, authority_with, calls_on
from tests.core.guard.lines import ACTION, CALL, Line


def observing(**policy: object) -> Line:
    line = Line()
    line.authority.set_tenant(observe_mode=ObserveMode.OBSERVE)
    if policy:
        line.authority.add_policy("tenant:acme", **policy)  # type: ignore[arg-type]  # its fields
    return line


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_call_that_would_be_refused_runs_and_is_recorded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = observing(denied_action_kinds=("llm.completion",))
    with line.client.guard(**CALL) as spend:
        assert isinstance(spend.decision, Denied)
        assert spend.is_observed
        assert spend.reservation_id is None
        spend.record(40)
    assert (line.reserved, line.spent) == (0, 40)
    assert line.asked() == ["Reserve", "Record"]
    [record] = line.unreliable.questions(Record)
    assert record.metadata == {"mode": "observe"}
    [warning] = warnings(caplog)
    assert warning.startswith("observed: llm.completion")
    assert "would have been refused: ACTION_KIND_DENIED" in warning


def test_a_call_that_would_be_allowed_runs_without_a_hold_and_without_caps(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = observing(caps=Caps(max_tokens=1))
    with line.client.guard(**CALL) as spend:
        assert isinstance(spend.decision, Allowed)
        assert spend.decision.caps == Caps(max_tokens=1)
        assert spend.caps == Caps()
    assert (line.reserved, line.spent) == (0, 100)
    assert warnings(caplog) == []


def test_a_call_that_fails_records_nothing() -> None:
    line = observing()
    with pytest.raises(LookupError), line.client.guard(**CALL):
        raise LookupError
    assert line.asked() == ["Reserve"]


async def test_an_async_call_is_observed_alike() -> None:
    line = observing(denied_action_kinds=("llm.completion",))
    async with line.async_client.guard(**CALL) as spend:
        assert spend.is_observed
    assert line.spent == 100


def test_asking_by_hand_tells_what_would_be() -> None:
    line = observing()
    allowed = line.client.reserve(**CALL)
    denied = line.client.reserve(action=ACTION, estimate=tokens(1_001))
    assert isinstance(allowed, Allowed)
    assert (allowed.observed, allowed.reservation_id) == (True, None)
    assert isinstance(denied, Denied)
    assert (denied.observed, denied.status) == (True, 200)


def test_a_dry_run_is_a_dry_run_under_observation_too() -> None:
    answer = observing().client.reserve(**CALL, dry_run=True)
    assert answer.observed is None


def test_without_observation_the_same_call_is_refused() -> None:
    line = observing()
    line.authority.set_tenant(observe_mode=ObserveMode.ENFORCE)
    guard = line.client.guard(action=ACTION, estimate=tokens(1_001))
    with pytest.raises(BudgetExceededError), guard:
        pytest.fail("the call ran")


def test_a_model_call_is_not_shortened_under_observation() -> None:
    authority = authority_with(usd(0))
    authority.set_tenant(observe_mode=ObserveMode.OBSERVE)
    authority.add_policy("tenant:acme", caps=Caps(max_tokens=1))
    call = calls_on(authority).model(ASKED)
    assert call.max_tokens is None
    call.settle()
