"""What to ask the authority, in which order, and what to make of each answer.

Flows are generators: they yield questions and waits, and get answers back. They do no I/O, so the
same ones serve sync and async code, and a test reads their waits instead of waiting.

Every repetition keeps the key of the first attempt.

| asking (reserve, decide, release, extend, reads)  | then                                      |
|---------------------------------------------------|-------------------------------------------|
| no answer, an unreadable one, 5xx, a busy store   | ask once more, at once                    |
| 429 with a `Retry-After` of up to 10 s            | ask after it, at most twice               |
| anything else                                     | raise                                     |

| settling (commit, record)                         | then                                      |
|---------------------------------------------------|-------------------------------------------|
| no answer, an unreadable one, 5xx, a busy store   | ask again as the retry policy says        |
| 429                                               | likewise, and not before `Retry-After`,   |
|                                                   | of which at most 60 s are honoured        |
| anything else                                     | raise                                     |

A guard has one call's spend to report, so it judges the outcome of its commit by this table. It
never follows a commit with a release: the call ran.

| the commit is answered …                          | the guard …                               |
|---------------------------------------------------|-------------------------------------------|
| COMMITTED                                         | is done                                   |
| RESERVATION_EXPIRED, or 410 without a code        | records the spend as an event, same key   |
| RESERVATION_FINALIZED: somebody else settled it   | raises `SettlementRefusedError`           |
| NOT_FOUND: the authority has forgotten it         | raises `SettlementRefusedError`           |
| BUDGET_EXCEEDED, OVERDRAFT_LIMIT_EXCEEDED,        | raises `SettlementRefusedError`           |
| BUDGET_FROZEN, BUDGET_CLOSED, TENANT_CLOSED …     |                                           |
| UNIT_MISMATCH, INVALID_REQUEST,                   | raises `SettlementRefusedError`           |
| IDEMPOTENCY_MISMATCH and every other known code   |                                           |
| 401, 403: another key may still do it             | raises `SpendNotRecordedError`            |
| a 4xx with no code, or one that nobody knows      | raises `SpendNotRecordedError`            |
| nothing readable until the retries are used up    | raises `SpendNotRecordedError`            |

The event in place of an expired commit is judged likewise, except that a second 410 is a refusal.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from tenacity import RetryCallState, Retrying
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from runcycles.errors import (
    CyclesError,
    CyclesProtocolError,
    CyclesTransportError,
    ErrorCode,
    ForbiddenError,
    InternalServerError,
    RateLimitedError,
    ReservationExpiredError,
    SettlementRefusedError,
    SpendNotRecordedError,
    StoreBusyError,
    UnauthorizedError,
)
from runcycles.ops import (
    Allowed,
    Commit,
    Committed,
    Decision,
    Op,
    Record,
    Recorded,
    Release,
    Reserve,
)

R = TypeVar("R")

MAX_ASK_WAIT_MS: Final = 10_000
"""Nothing has run yet, so a longer wait is the caller's to choose."""
MAX_ASK_WAITS: Final = 2
MAX_RETRY_AFTER_MS: Final = 60_000
"""A settlement waits no longer than this between two attempts, whatever the authority asks."""

AMBIGUOUS: Final = (CyclesTransportError, InternalServerError, StoreBusyError)
"""The question may or may not have been decided."""
_UNSETTLED: Final = (UnauthorizedError, ForbiddenError, RateLimitedError, InternalServerError)


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait, then go on."""

    seconds: float


Step = Op[Any] | Sleep
Flow = Generator[Step, Any, R]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How patient a settlement is; `asks_again` says whether questions are repeated at all."""

    stop: stop_base
    wait: wait_base
    asks_again: bool = True

    def delay(self, attempt: int, problem: CyclesError) -> float | None:
        """Seconds before the next attempt, or None when enough were made."""
        state = RetryCallState(_NOBODY, None, (), {})
        state.attempt_number = attempt
        if not self.asks_again or self.stop(state):
            return None
        return max(self.wait(state), min(_retry_after_ms(problem) or 0, MAX_RETRY_AFTER_MS) / 1_000)


_NOBODY: Final = Retrying()


class Timing:
    """When the answered attempt of a question left and came back, on a monotonic clock."""

    __slots__ = ("clock", "received", "sent")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.sent = self.received = 0.0


def ask(op: Op[R], retries: Retries, timing: Timing | None = None) -> Flow[R]:
    """Ask once; once more where the outcome is not known; after a 429 when we are told to."""
    attempts = waits = 0
    while True:
        attempts += 1
        if timing is not None:
            timing.sent = timing.clock()
        try:
            answer: R = yield op
        except AMBIGUOUS as problem:
            if attempts - waits > 1 or not retries.asks_again:
                _note_attempts(problem, attempts)
                raise
            continue
        except RateLimitedError as problem:
            wait_ms = problem.retry_after_ms
            if wait_ms is None or wait_ms > MAX_ASK_WAIT_MS or waits >= MAX_ASK_WAITS:
                raise
            if not retries.asks_again:
                raise
        else:
            if timing is not None:
                timing.received = timing.clock()
            return answer
        waits += 1
        yield Sleep(wait_ms / 1_000)


def persist(op: Op[R], retries: Retries) -> Flow[R]:
    """Ask until there is an answer, or the retries are used up."""
    attempt = 0
    while True:
        attempt += 1
        try:
            answer: R = yield op
        except (*AMBIGUOUS, RateLimitedError) as problem:
            delay = retries.delay(attempt, problem)
            if delay is None:
                _note_attempts(problem, attempt)
                raise
        else:
            return answer
        yield Sleep(delay)


def abandon(op: Reserve) -> Flow[None]:
    """Learn what a cut-off reserve has reserved, if anything, and give it back."""
    decision: Decision = yield op
    if isinstance(decision, Allowed) and decision.reservation_id is not None:
        yield Release(
            idempotency_key=op.idempotency_key,
            reservation_id=decision.reservation_id,
            reason="cut off while reserving",
        )


def commit_or_record(op: Commit, reserved: Reserve, retries: Retries) -> Flow[Committed | Recorded]:
    """Commit; where the reservation has expired, record the same spend without it."""
    try:
        return (yield from persist(op, retries))
    except ReservationExpiredError:
        pass
    return (yield from persist(late_record(op, reserved), retries))


def late_record(op: Commit, reserved: Reserve) -> Record:
    """The event that stands for a commit which came too late, under the commit's key."""
    return Record(
        idempotency_key=op.idempotency_key,
        subject=reserved.subject,
        action=reserved.action,
        actual=op.actual,
        overage_policy=reserved.overage_policy,
        metrics=op.metrics,
        metadata={
            **(reserved.metadata or {}),
            **(op.metadata or {}),
            "recovered_reservation_id": op.reservation_id,
        },
    )


def reported(flow: Flow[R], op: Commit, result: Any) -> Flow[R]:
    """A settlement whose failure says what was spent, and keeps what the call returned.

    Raises:
        SettlementRefusedError: the authority understood, and refused.
        SpendNotRecordedError: everything else.
    """
    try:
        return (yield from flow)
    except CyclesProtocolError as problem:
        if not is_understood(problem):
            raise _not_recorded(op, result, problem) from problem
        raise SettlementRefusedError(
            problem.problem,
            reservation_id=op.reservation_id,
            actual=op.actual.amount,
            result=result,
        ) from problem
    except Exception as problem:  # whatever failed, the spend must not get lost
        raise _not_recorded(op, result, problem) from problem


def is_understood(problem: CyclesProtocolError) -> bool:
    """Whether this answer to a settlement is final: a code we know that is not about access."""
    return not isinstance(problem, _UNSETTLED) and (
        problem.error_code in ErrorCode.__members__ or isinstance(problem, ReservationExpiredError)
    )


def _not_recorded(op: Commit, result: Any, problem: Exception) -> SpendNotRecordedError:
    return SpendNotRecordedError(
        f"the call ran and used {op.actual.amount} {op.actual.unit}, and the authority has not "
        f"confirmed that: {problem}. Reservation {op.reservation_id} holds its estimate until "
        "it expires",
        reservation_id=op.reservation_id,
        actual=op.actual.amount,
        result=result,
    )


def _note_attempts(problem: CyclesError, attempts: int) -> None:
    if isinstance(problem, CyclesTransportError):
        problem.attempts = attempts


def _retry_after_ms(problem: CyclesError) -> int | None:
    return problem.retry_after_ms if isinstance(problem, CyclesProtocolError) else None
