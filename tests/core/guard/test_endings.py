import threading
from typing import Any

import pytest

from runcycles import (
    ConfigurationError,
    OnError,
    SettlementRefusedError,
    SpendNotRecordedError,
    Usage,
)
from runcycles.errors import StoreError
from runcycles.ops import Commit, Record, Release
from tests.core.guard.lines import CALL, Line, ModelError, fail_after
from tests.core.unreliable import LOST_ANSWER, LOST_QUESTION, Answered

# ── how it ends ──────────────────────────────────────────────────────────────────────────────────


def test_a_call_that_fails_gives_its_hold_back() -> None:
    line = Line()
    with pytest.raises(ModelError), line.client.guard(**CALL):
        raise ModelError
    assert (line.spent, line.reserved) == (0, 0)
    [release] = line.unreliable.questions(Release)
    assert release.reason == "the call raised ModelError"


def test_a_call_that_fails_after_using_something_is_charged_that() -> None:
    line = Line()
    with pytest.raises(ModelError), line.client.guard(**CALL) as spend:
        fail_after(spend, 40)
    assert (line.spent, line.reserved) == (40, 0)


def test_a_known_price_is_not_charged_for_a_call_that_fails() -> None:
    line = Line()
    with pytest.raises(ModelError), line.client.guard(**CALL, actual=7):
        raise ModelError
    assert line.spent == 0


def test_a_failure_may_be_charged_the_estimate_instead() -> None:
    line = Line()
    with (
        pytest.raises(ModelError),
        line.client.guard(**CALL, on_error="commit_estimate"),
    ):
        raise ModelError
    assert line.spent == 100


def test_the_config_may_say_what_a_failure_costs() -> None:
    line = Line(on_error=OnError.COMMIT_ESTIMATE)
    with pytest.raises(ModelError), line.client.guard(**CALL):
        raise ModelError
    assert line.spent == 100


def test_whoever_settles_by_hand_may_know_better() -> None:
    line = Line()
    guard = line.client.guard(**CALL, on_error="commit_estimate").open()
    guard.settle(ConnectionError("refused"), on_error="release")
    assert (line.spent, line.reserved) == (0, 0)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit(), TimeoutError()])
def test_a_call_that_is_cut_off_is_charged_its_estimate(error: BaseException) -> None:
    line = Line()
    with pytest.raises(type(error)), line.client.guard(**CALL):
        raise error
    assert line.spent == 100


def test_a_call_that_is_cut_off_is_charged_what_it_recorded() -> None:
    line = Line()
    with pytest.raises(KeyboardInterrupt), line.client.guard(**CALL) as spend:
        fail_after(spend, 8, KeyboardInterrupt)
    assert line.spent == 8


def test_settling_happens_once_whoever_does_it_twice() -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        spend.record(8)
        spend.settle()
        spend.settle(ModelError())
    assert line.asked() == ["Reserve", "Commit"]


def test_many_threads_that_settle_at_once_settle_once() -> None:
    line = Line()
    guard = line.client.guard(**CALL).open()
    gate = threading.Barrier(8)

    def settle() -> None:
        gate.wait(5)
        guard.settle()

    threads = [threading.Thread(target=settle) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert line.asked() == ["Reserve", "Commit"]


def test_a_guard_protects_one_call_only() -> None:
    guard = Line().client.guard(**CALL)
    with guard:
        pass
    with pytest.raises(RuntimeError, match="one call"), guard:
        pass


def test_a_guard_that_was_never_opened_has_nothing_to_settle() -> None:
    line = Line()
    line.client.guard(**CALL).settle()
    assert line.asked() == []


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_settlement_that_is_interrupted_is_finished_and_the_interruption_passed_on() -> None:
    line = Line({Commit: [interrupt]})
    with pytest.raises(KeyboardInterrupt), line.client.guard(**CALL) as spend:
        spend.record(8)
    assert line.asked() == ["Reserve", "Commit", "Commit"]
    assert line.spent == 8


def test_a_settlement_that_is_interrupted_twice_is_left() -> None:
    line = Line({Commit: [interrupt, interrupt]})
    with pytest.raises(KeyboardInterrupt), line.client.guard(**CALL):
        pass
    assert line.spent == 0


def test_an_interrupted_settlement_that_fails_says_so_besides() -> None:
    line = Line({Commit: [interrupt, Answered(409, "RESERVATION_FINALIZED")]})
    with pytest.raises(KeyboardInterrupt) as interrupted, line.client.guard(**CALL):
        pass
    assert "RESERVATION_FINALIZED" in interrupted.value.__notes__[0]


# ── settling that fails ──────────────────────────────────────────────────────────────────────────


def test_a_lost_answer_to_a_commit_charges_once() -> None:
    line = Line({Commit: [LOST_ANSWER]})
    with line.client.guard(**CALL) as spend:
        spend.record(40)
    assert line.spent == 40
    first, second = line.unreliable.questions(Commit)
    assert first == second


def test_a_commit_that_comes_too_late_is_recorded_as_an_event() -> None:
    line = Line()
    with line.client.guard(**CALL, metadata={"ticket": 7}) as spend:
        spend.record(40)
        line.authority.clock.advance(120_000)
        line.authority.sweep()
    assert (line.spent, line.reserved) == (40, 0)
    [record] = line.unreliable.questions(Record)
    assert record.metadata == {"ticket": 7, "recovered_reservation_id": spend.reservation_id}


def test_a_refused_commit_keeps_the_result() -> None:
    line = Line({Commit: [Answered(409, "RESERVATION_FINALIZED")]})
    with pytest.raises(SettlementRefusedError) as refused, line.client.guard(**CALL) as spend:
        spend.result = "the answer"
    assert (refused.value.result, refused.value.actual) == ("the answer", 100)


def test_a_commit_that_never_arrives_keeps_the_result() -> None:
    line = Line({Commit: [LOST_QUESTION] * 5})
    with pytest.raises(SpendNotRecordedError) as lost, line.client.guard(**CALL) as spend:
        spend.result = "the answer"
    assert (lost.value.result, lost.value.actual) == ("the answer", 100)
    assert lost.value.reservation_id == spend.reservation_id


def test_the_calls_own_exception_is_not_hidden_by_a_failing_commit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = Line({Commit: [LOST_QUESTION] * 5})
    with pytest.raises(ModelError) as failed, line.client.guard(**CALL) as spend:
        fail_after(spend, 40)
    assert "has not confirmed" in failed.value.__notes__[0]
    assert "has not confirmed" in caplog.text


@pytest.mark.parametrize(
    "fault", [LOST_QUESTION, Answered(410, "RESERVATION_EXPIRED"), StoreError("disk full")]
)
def test_a_release_that_fails_is_logged(caplog: pytest.LogCaptureFixture, fault: Any) -> None:
    line = Line({Release: [fault, fault]})
    with pytest.raises(ModelError), line.client.guard(**CALL):
        raise ModelError
    assert "was not released" in caplog.text


class Unspeakable:
    """Cannot even be printed."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({1}, "{1}"),
        (float("nan"), "nan"),
        ("\ud800", "?"),
        (object, "<class 'object'>"),
        (Unspeakable(), "<Unspeakable>"),
    ],
)
def test_metadata_that_is_no_json_does_not_cost_the_commit(
    value: Any, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        spend.metadata.update(answer=value, ticket=7)
        spend.record(Usage(tokens_output=1, custom={"raw": value}))
    [commit] = line.unreliable.questions(Commit)
    assert commit.metadata == {"answer": text, "ticket": 7}
    assert commit.metrics is not None
    assert commit.metrics.custom == {"raw": text}
    assert "not JSON" in caplog.text
    assert line.spent == 1


def test_settling_by_hand_with_a_word_nobody_knows_settles_nothing_yet() -> None:
    line = Line()
    guard = line.client.guard(**CALL).open()
    with pytest.raises(ConfigurationError):
        guard.settle(on_error="forget")
    guard.settle()
    assert line.spent == 100
