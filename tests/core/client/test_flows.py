from collections.abc import Iterable
from typing import Any, TypeVar

import pytest
from tenacity import stop_after_attempt, wait_exponential

from runcycles.errors import (
    BudgetExceededError,
    CyclesError,
    CyclesProtocolError,
    CyclesTransportError,
    InternalServerError,
    Problem,
    RateLimitedError,
    ReservationExpiredError,
    SettlementRefusedError,
    SpendNotRecordedError,
    StoreBusyError,
    StoreError,
)
from runcycles.flows import (
    MAX_ASK_WAIT_MS,
    MAX_RETRY_AFTER_MS,
    Flow,
    Retries,
    Sleep,
    Step,
    Timing,
    abandon,
    ask,
    commit_or_record,
    persist,
    reported,
)
from runcycles.ops import (
    Allowed,
    Commit,
    Committed,
    Denied,
    Op,
    Record,
    Recorded,
    Release,
    Released,
    Reserve,
)
from runcycles.types import Action, OveragePolicy, Subject, Usage, tokens
from runcycles.wire import error_for

R = TypeVar("R")

RESERVE = Reserve(
    idempotency_key="k",
    subject=Subject(tenant="acme", agent="writer"),
    action=Action(kind="llm.completion", name="gpt-4o"),
    estimate=tokens(100),
    overage_policy=OveragePolicy.ALLOW_IF_AVAILABLE,
    metadata={"ticket": 7},
)
COMMIT = Commit(
    idempotency_key="k",
    reservation_id="r1",
    actual=tokens(40),
    metrics=Usage(tokens_output=40),
    metadata={"actual_source": "estimate"},
)
ALLOWED = Allowed(reservation_id="r1")
COMMITTED = Committed(charged=tokens(40))
RECORDED = Recorded(event_id="e1")
LOST = CyclesTransportError("no answer")
BUSY = StoreBusyError("another process writes")

PATIENT = Retries(
    stop=stop_after_attempt(5),
    wait=wait_exponential(multiplier=0.5, exp_base=2, max=30),
    asks_again=True,
)
ONCE = Retries(stop=stop_after_attempt(5), wait=wait_exponential(), asks_again=False)


def refusal(
    status: int, code: str, *, retry_after_ms: int | None = None, op: Op[Any] = COMMIT
) -> CyclesProtocolError:
    """The error that a transport raises for such an answer."""
    problem = Problem(
        status=status, error_code=code, message="said no", retry_after_ms=retry_after_ms
    )
    return error_for(op, problem)


def broken() -> CyclesProtocolError:
    return refusal(500, "INTERNAL_ERROR")


def throttled(retry_after_ms: int | None = None) -> CyclesProtocolError:
    return refusal(429, "LIMIT_EXCEEDED", retry_after_ms=retry_after_ms)


class Played:
    """What a flow asked, and how it came out, when it got these answers one after the other."""

    def __init__(self, flow: Flow[Any], answers: Iterable[Any]) -> None:
        self.steps: list[Step] = []
        self.result: Any = None
        self.error: Exception | None = None
        coming = iter(answers)
        try:
            step = next(flow)
            while True:
                self.steps.append(step)
                answer = None if isinstance(step, Sleep) else next(coming)
                step = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
        except StopIteration as finished:
            self.result = finished.value
        except CyclesError as error:
            self.error = error
        assert next(coming, None) is None, "the flow ended before all answers were given"

    @property
    def waits(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Sleep)]

    @property
    def questions(self) -> list[Step]:
        return [step for step in self.steps if not isinstance(step, Sleep)]


# ── asking ───────────────────────────────────────────────────────────────────────────────────


def test_a_question_that_is_answered_is_asked_once() -> None:
    played = Played(ask(RESERVE, PATIENT), [ALLOWED])
    assert (played.result, played.steps) == (ALLOWED, [RESERVE])


@pytest.mark.parametrize("fault", [LOST, BUSY, broken()])
def test_a_question_whose_outcome_is_unknown_is_asked_once_more_at_once(fault: Exception) -> None:
    played = Played(ask(RESERVE, PATIENT), [fault, ALLOWED])
    assert (played.result, played.steps) == (ALLOWED, [RESERVE, RESERVE])


def test_a_question_is_given_up_after_two_unknown_outcomes() -> None:
    lost = CyclesTransportError("no answer")
    played = Played(ask(RESERVE, PATIENT), [lost, lost])
    assert played.error is lost
    assert lost.attempts == 2


def test_an_authority_that_keeps_failing_is_reported_as_it_failed() -> None:
    played = Played(ask(RESERVE, PATIENT), [broken(), broken()])
    assert isinstance(played.error, InternalServerError)


def test_a_question_that_is_throttled_waits_as_told() -> None:
    played = Played(ask(RESERVE, PATIENT), [throttled(1_500), ALLOWED])
    assert played.steps == [RESERVE, Sleep(1.5), RESERVE]


def test_being_throttled_does_not_use_up_the_second_attempt() -> None:
    played = Played(ask(RESERVE, PATIENT), [throttled(0), LOST, throttled(0), ALLOWED])
    assert played.result == ALLOWED


def test_a_question_that_is_throttled_three_times_is_given_up() -> None:
    played = Played(ask(RESERVE, PATIENT), [throttled(1), throttled(1), throttled(1)])
    assert isinstance(played.error, RateLimitedError)


@pytest.mark.parametrize("retry_after_ms", [None, MAX_ASK_WAIT_MS + 1])
def test_a_throttled_question_without_a_time_worth_waiting_for_is_given_up(
    retry_after_ms: int | None,
) -> None:
    played = Played(ask(RESERVE, PATIENT), [throttled(retry_after_ms)])
    assert isinstance(played.error, RateLimitedError)
    assert played.error.retry_after_ms == retry_after_ms


@pytest.mark.parametrize("fault", [LOST, throttled(1)])
def test_without_retries_a_question_is_asked_once(fault: Exception) -> None:
    played = Played(ask(RESERVE, ONCE), [fault])
    assert played.error is fault


def test_a_denial_is_not_asked_again() -> None:
    denial = refusal(409, "BUDGET_EXCEEDED", op=RESERVE)
    played = Played(ask(RESERVE, PATIENT), [denial])
    assert isinstance(played.error, BudgetExceededError)


def test_the_time_of_a_question_is_that_of_its_answered_attempt() -> None:
    moments = iter([1.0, 8.0, 8.25])
    timing = Timing(lambda: next(moments))
    Played(ask(RESERVE, PATIENT, timing), [LOST, ALLOWED])
    assert (timing.sent, timing.received) == (8.0, 8.25)


# ── settling ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", [LOST, BUSY, broken(), throttled()])
def test_a_settlement_is_asked_again_with_its_own_key_as_the_policy_says(fault: Exception) -> None:
    played = Played(persist(COMMIT, PATIENT), [fault, fault, fault, COMMITTED])
    assert played.result == COMMITTED
    assert played.questions == [COMMIT] * 4
    assert played.waits == [0.5, 1.0, 2.0]


def test_a_settlement_is_given_up_when_its_attempts_are_used_up() -> None:
    lost = CyclesTransportError("no answer")
    played = Played(persist(COMMIT, PATIENT), [lost] * 5)
    assert played.error is lost
    assert lost.attempts == 5


def test_a_settlement_does_not_come_back_before_retry_after() -> None:
    played = Played(persist(COMMIT, PATIENT), [throttled(7_000), COMMITTED])
    assert played.waits == [7.0]


def test_a_settlement_waits_its_own_delay_where_that_is_longer() -> None:
    played = Played(persist(COMMIT, PATIENT), [throttled(100), COMMITTED])
    assert played.waits == [0.5]


def test_retry_after_is_honoured_up_to_a_bound() -> None:
    played = Played(persist(COMMIT, PATIENT), [throttled(MAX_RETRY_AFTER_MS * 60), COMMITTED])
    assert played.waits == [MAX_RETRY_AFTER_MS / 1_000]


def test_without_retries_a_settlement_is_asked_once() -> None:
    assert Played(persist(COMMIT, ONCE), [LOST]).error is LOST


def test_a_refused_settlement_is_not_asked_again() -> None:
    refused = refusal(409, "BUDGET_EXCEEDED")
    assert Played(persist(COMMIT, PATIENT), [refused]).error is refused


# ── the guard's commit ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", ["RESERVATION_EXPIRED", "HTTP_410"])
def test_a_commit_that_comes_too_late_is_recorded_with_everything_it_said(code: str) -> None:
    late = refusal(410, code)
    played = Played(commit_or_record(COMMIT, RESERVE, PATIENT), [late, RECORDED])
    assert played.result == RECORDED
    assert played.steps == [
        COMMIT,
        Record(
            idempotency_key="k",
            subject=RESERVE.subject,
            action=RESERVE.action,
            actual=tokens(40),
            overage_policy=OveragePolicy.ALLOW_IF_AVAILABLE,
            metrics=Usage(tokens_output=40),
            metadata={
                "ticket": 7,
                "actual_source": "estimate",
                "recovered_reservation_id": "r1",
            },
        ),
    ]


def test_a_late_commit_without_metadata_still_names_its_reservation() -> None:
    plain = Commit(idempotency_key="k", reservation_id="r1", actual=tokens(1))
    reserve = Reserve(
        idempotency_key="k",
        subject=RESERVE.subject,
        action=RESERVE.action,
        estimate=tokens(1),
    )
    played = Played(
        commit_or_record(plain, reserve, PATIENT), [refusal(410, "RESERVATION_EXPIRED"), RECORDED]
    )
    record = played.steps[1]
    assert isinstance(record, Record)
    assert record.metadata == {"recovered_reservation_id": "r1"}


def test_the_event_of_a_late_commit_is_retried_with_the_commits_key() -> None:
    late = refusal(410, "RESERVATION_EXPIRED")
    played = Played(commit_or_record(COMMIT, RESERVE, PATIENT), [LOST, late, LOST, RECORDED])
    assert played.result == RECORDED
    assert [step.idempotency_key for step in played.questions if isinstance(step, Record)] == [
        "k",
        "k",
    ]


def test_a_commit_in_time_is_just_a_commit() -> None:
    played = Played(commit_or_record(COMMIT, RESERVE, PATIENT), [COMMITTED])
    assert (played.result, played.steps) == (COMMITTED, [COMMIT])


def settle(*answers: Any) -> Played:
    """A guard's commit whose call returned "the answer"."""
    flow = commit_or_record(COMMIT, RESERVE, PATIENT)
    return Played(reported(flow, COMMIT, "the answer"), answers)


def test_a_reported_settlement_gives_its_reply() -> None:
    assert settle(COMMITTED).result == COMMITTED


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "RESERVATION_FINALIZED"),
        (404, "NOT_FOUND"),
        (409, "BUDGET_EXCEEDED"),
        (409, "OVERDRAFT_LIMIT_EXCEEDED"),
        (409, "BUDGET_FROZEN"),
        (409, "BUDGET_CLOSED"),
        (409, "TENANT_CLOSED"),
        (409, "IDEMPOTENCY_MISMATCH"),
        (400, "UNIT_MISMATCH"),
        (400, "INVALID_REQUEST"),
    ],
)
def test_an_understood_refusal_of_a_commit_keeps_the_result(status: int, code: str) -> None:
    error = settle(refusal(status, code)).error
    assert isinstance(error, SettlementRefusedError)
    assert (error.error_code, error.reservation_id, error.actual, error.result) == (
        code,
        "r1",
        40,
        "the answer",
    )


def test_an_event_that_expires_in_its_turn_is_refused() -> None:
    late = refusal(410, "RESERVATION_EXPIRED")
    error = settle(late, late).error
    assert isinstance(error, SettlementRefusedError)
    assert error.error_code == "RESERVATION_EXPIRED"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "UNAUTHORIZED"),
        (403, "FORBIDDEN"),
        (403, "INSUFFICIENT_PERMISSIONS"),
        (400, "HTTP_400"),
        (409, "SOMETHING_NEW"),
    ],
)
def test_an_answer_that_settles_nothing_leaves_the_spend_unrecorded(status: int, code: str) -> None:
    error = settle(refusal(status, code)).error
    assert isinstance(error, SpendNotRecordedError)
    assert (error.reservation_id, error.actual, error.result) == ("r1", 40, "the answer")


@pytest.mark.parametrize("fault", [LOST, broken(), throttled()])
def test_exhausted_retries_leave_the_spend_unrecorded_and_say_why(fault: Exception) -> None:
    error = settle(*[fault] * 5).error
    assert isinstance(error, SpendNotRecordedError)
    assert error.result == "the answer"
    assert error.__cause__ is fault


@pytest.mark.parametrize("fault", [StoreError("disk full"), RuntimeError("a bug")])
def test_whatever_breaks_while_settling_the_spend_is_reported(fault: Exception) -> None:
    error = settle(fault).error
    assert isinstance(error, SpendNotRecordedError)
    assert error.__cause__ is fault


# ── reserving cut off ────────────────────────────────────────────────────────────────────────


def test_what_a_cut_off_reserve_holds_is_given_back() -> None:
    played = Played(abandon(RESERVE), [ALLOWED, Released(released=tokens(100))])
    assert played.steps == [
        RESERVE,
        Release(idempotency_key="k", reservation_id="r1", reason="cut off while reserving"),
    ]


@pytest.mark.parametrize("answer", [Denied(reason_code="BUDGET_EXCEEDED"), Allowed()])
def test_a_cut_off_reserve_that_holds_nothing_needs_no_release(answer: Any) -> None:
    assert Played(abandon(RESERVE), [answer]).steps == [RESERVE]


def test_an_expired_reservation_is_an_expired_one_whatever_its_body() -> None:
    assert isinstance(refusal(410, "HTTP_410"), ReservationExpiredError)
