import pytest

from runcycles import (
    BudgetExceededError,
    Caps,
    CyclesTransportError,
    DeniedError,
    current_reservation,
    tokens,
)
from runcycles.ops import Allowed, Denied, Record, Reserve
from tests.core.guard.lines import ACTION, CALL, Line, ModelError
from tests.core.unreliable import LOST_ANSWER, LOST_QUESTION

# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def test_a_denied_call_does_not_run() -> None:
    line = Line()
    guard = line.client.guard(action=ACTION, estimate=tokens(1_001))
    with pytest.raises(BudgetExceededError) as denied, guard:
        pytest.fail("the call ran")
    error = denied.value
    assert (error.scope, error.requested, error.remaining) == ("tenant:acme", 1_001, 1_000)
    assert line.asked() == ["Reserve"]


def test_a_denied_guard_is_not_the_current_reservation() -> None:
    line = Line()
    with pytest.raises(DeniedError), line.client.guard(action=ACTION, estimate=tokens(9_999)):
        pass
    assert current_reservation() is None


def test_a_denial_that_is_only_an_answer_stops_the_call_too() -> None:
    """Some authorities answer a live reserve with 200 and DENY."""
    denied = Denied(reason_code="POLICY_VIOLATION", affected_scopes=("tenant:acme",))
    line = Line()
    guard = line.client.guard(**CALL)
    flow = guard._open_flow()  # noqa: SLF001 - no authority of ours answers like this
    next(flow)
    with pytest.raises(DeniedError) as stopped:
        flow.send(denied)
    assert (stopped.value.reason_code, stopped.value.status) == ("POLICY_VIOLATION", 200)


def test_a_permission_without_a_reservation_is_no_permission() -> None:
    line = Line()
    flow = line.client.guard(**CALL)._open_flow()  # noqa: SLF001 - likewise
    next(flow)
    with pytest.raises(CyclesTransportError, match="no reservation"):
        flow.send(Allowed())


def test_a_call_does_not_run_when_the_authority_cannot_be_asked() -> None:
    line = Line({Reserve: [LOST_QUESTION, LOST_QUESTION]})
    with pytest.raises(CyclesTransportError), line.client.guard(**CALL):
        pytest.fail("the call ran")


def test_a_lost_answer_to_a_reserve_holds_once() -> None:
    line = Line({Reserve: [LOST_ANSWER]})
    with line.client.guard(**CALL):
        assert line.reserved == 100
    assert line.spent == 100
    assert len(line.authority.reservations()) == 1


def test_a_reserve_that_is_cut_off_gives_back_what_it_may_hold() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    line = Line({Reserve: [interrupt]})
    with pytest.raises(KeyboardInterrupt):
        line.client.guard(**CALL).open()
    assert line.asked() == ["Reserve", "Reserve", "Release"]
    assert line.reserved == 0


def test_giving_back_after_being_cut_off_may_fail_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    line = Line({Reserve: [interrupt, LOST_QUESTION]})
    with pytest.raises(KeyboardInterrupt):
        line.client.guard(**CALL).open()
    assert "until it expires" in caplog.text


# ── running although nobody could be asked ───────────────────────────────────────────────────────


def test_a_call_may_run_although_the_authority_is_down(caplog: pytest.LogCaptureFixture) -> None:
    line = Line({Reserve: [LOST_QUESTION, LOST_QUESTION]})
    with line.client.guard(**CALL, on_authority_down="run_and_record") as spend:
        spend.record(40)
        assert spend.caps == Caps()
    assert line.asked() == ["Reserve", "Reserve", "Record"]
    assert line.spent == 40
    assert "authority is down" in caplog.text


def test_what_it_spent_is_logged_where_it_stays_down(caplog: pytest.LogCaptureFixture) -> None:
    line = Line({Reserve: [LOST_QUESTION] * 2, Record: [LOST_QUESTION] * 2})
    with line.client.guard(**CALL, on_authority_down="run_and_record") as spend:
        spend.record(40)
    assert "used 40 TOKENS, which is not recorded" in caplog.text


def test_a_call_that_failed_unreserved_has_nothing_to_give_back() -> None:
    line = Line({Reserve: [LOST_QUESTION, LOST_QUESTION]})
    with (
        pytest.raises(ModelError),
        line.client.guard(**CALL, on_authority_down="run_and_record"),
    ):
        raise ModelError
    assert line.asked() == ["Reserve", "Reserve"]


def test_a_denial_stops_it_all_the_same() -> None:
    line = Line()
    with (
        pytest.raises(BudgetExceededError),
        line.client.guard(
            action=ACTION, estimate=tokens(9_999), on_authority_down="run_and_record"
        ),
    ):
        pytest.fail("the call ran")
