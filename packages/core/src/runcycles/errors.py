"""Everything Cycles raises on purpose.

```
CyclesError                           everything we raise on purpose
├── CyclesProtocolError               the authority answered with an error
│   ├── DeniedError                   the authority said no; the call must not run
│   │   ├── BudgetExceededError       not enough remaining
│   │   ├── BudgetFrozenError
│   │   ├── BudgetClosedError
│   │   ├── BudgetNotFoundError
│   │   ├── DebtOutstandingError
│   │   ├── OverdraftLimitExceededError
│   │   ├── ActionDeniedError         kind denied, kind not allowed, or quota used up
│   │   ├── TenantSuspendedError
│   │   └── TenantClosedError
│   ├── ReservationExpiredError
│   ├── ReservationFinalizedError
│   ├── ReservationNotFoundError
│   ├── IdempotencyMismatchError
│   ├── UnitMismatchError
│   ├── InvalidRequestError
│   ├── UnauthorizedError
│   ├── ForbiddenError
│   ├── RateLimitedError
│   ├── InternalServerError
│   └── SettlementRefusedError        a commit was understood and refused; the result is kept
├── CyclesTransportError              no answer; asking again with the same key is safe
├── SpendNotRecordedError             the call ran, its commit has not arrived yet
├── UnknownPriceError                 nobody knows what the model costs; the call must not run
├── StoreError                        the store cannot do what was asked
│   ├── StoreBusyError                another process holds it
│   │   └── StoreOverloadedError      more waits for it than it answers in time
│   ├── MigrationNeededError          the database was written by another version
│   └── StoreCorruptError             the database cannot be trusted
└── ConfigurationError                (also ValueError) raised at construction, never in a call
```
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from runcycles.types import DenyDetail, QuotaViolation


class ErrorCode(StrEnum):
    """The protocol's error codes, as they stand in the `error` member of an answer."""

    INVALID_REQUEST = "INVALID_REQUEST"
    UNIT_MISMATCH = "UNIT_MISMATCH"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
    NOT_FOUND = "NOT_FOUND"
    TENANT_NOT_FOUND = "TENANT_NOT_FOUND"
    BUDGET_NOT_FOUND = "BUDGET_NOT_FOUND"
    DUPLICATE_RESOURCE = "DUPLICATE_RESOURCE"
    KEY_REVOKED = "KEY_REVOKED"
    KEY_EXPIRED = "KEY_EXPIRED"
    TENANT_CLOSED = "TENANT_CLOSED"
    ACTION_KIND_DENIED = "ACTION_KIND_DENIED"
    ACTION_KIND_NOT_ALLOWED = "ACTION_KIND_NOT_ALLOWED"
    ACTION_QUOTA_EXCEEDED = "ACTION_QUOTA_EXCEEDED"
    BUDGET_FROZEN = "BUDGET_FROZEN"
    BUDGET_CLOSED = "BUDGET_CLOSED"
    OVERDRAFT_LIMIT_EXCEEDED = "OVERDRAFT_LIMIT_EXCEEDED"
    DEBT_OUTSTANDING = "DEBT_OUTSTANDING"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    RESERVATION_FINALIZED = "RESERVATION_FINALIZED"
    RESERVATION_EXPIRED = "RESERVATION_EXPIRED"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    MAX_EXTENSIONS_EXCEEDED = "MAX_EXTENSIONS_EXCEEDED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class ReasonCode(StrEnum):
    """Why a question was denied, in the order in which the ledger checks.

    The protocol leaves the list open: an authority may send others, and those read as a denial.
    """

    TENANT_CLOSED = "TENANT_CLOSED"
    TENANT_SUSPENDED = "TENANT_SUSPENDED"
    ACTION_KIND_DENIED = "ACTION_KIND_DENIED"
    ACTION_KIND_NOT_ALLOWED = "ACTION_KIND_NOT_ALLOWED"
    ACTION_QUOTA_EXCEEDED = "ACTION_QUOTA_EXCEEDED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    BUDGET_NOT_FOUND = "BUDGET_NOT_FOUND"
    BUDGET_FROZEN = "BUDGET_FROZEN"
    BUDGET_CLOSED = "BUDGET_CLOSED"
    OVERDRAFT_LIMIT_EXCEEDED = "OVERDRAFT_LIMIT_EXCEEDED"
    DEBT_OUTSTANDING = "DEBT_OUTSTANDING"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"


class CyclesError(Exception):
    """The root of everything Cycles raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One refusal as the authority states it: the protocol's error body and its status."""

    status: int
    error_code: str
    message: str
    reason_code: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    retry_after_ms: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    deny_detail: DenyDetail | None = None


class CyclesProtocolError(CyclesError):
    """The authority answered with an error."""

    retryable: ClassVar[bool] = False
    """Whether the same question, with the same key, may be answered differently a little later."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(f"{problem.error_code}: {problem.message}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.problem,))

    @property
    def status(self) -> int:
        """The HTTP status of the answer (200 where a dry run or decide was denied)."""
        return self.problem.status

    @property
    def error_code(self) -> str:
        """The protocol's code, e.g. `BUDGET_EXCEEDED`."""
        return self.problem.error_code

    @property
    def reason_code(self) -> str | None:
        """Why a question was denied, where the answer is a denial."""
        return self.problem.reason_code

    @property
    def request_id(self) -> str | None:
        """The authority's id of the request; quote it when you ask about it."""
        return self.problem.request_id

    @property
    def trace_id(self) -> str | None:
        """The trace the request belonged to, 32 hex digits."""
        return self.problem.trace_id

    @property
    def retry_after_ms(self) -> int | None:
        """How long the authority asks to wait, in ms."""
        return self.problem.retry_after_ms

    @property
    def details(self) -> Mapping[str, Any]:
        """The open `details` member of the error body."""
        return self.problem.details


class DeniedError(CyclesProtocolError):
    """The authority said no; the call must not run, and did not."""

    @property
    def scope(self) -> str | None:
        """The scope that stopped it."""
        detail = self.problem.deny_detail
        return detail.blocked_by_scope if detail else self.details.get("scope")

    @property
    def suggested_fix(self) -> str | None:
        """What would allow it."""
        detail = self.problem.deny_detail
        return detail.suggested_fix if detail else None


class BudgetExceededError(DeniedError):
    """Less remains than the estimate asks for."""

    @property
    def requested(self) -> int | None:
        """What was asked for, in the steps of its unit."""
        return self.details.get("requested")

    @property
    def remaining(self) -> int | None:
        """What is left at the scope that stopped it; may be negative."""
        detail = self.problem.deny_detail
        return detail.budget_remaining if detail else None


class BudgetFrozenError(DeniedError):
    """An operator froze a budget of the lineage."""


class BudgetClosedError(DeniedError):
    """A budget of the lineage is closed."""


class BudgetNotFoundError(DeniedError):
    """No scope of the subject has a budget."""


class DebtOutstandingError(DeniedError):
    """A scope owes something and has no overdraft."""


class OverdraftLimitExceededError(DeniedError):
    """A scope is over its overdraft limit."""


class ActionDeniedError(DeniedError):
    """The action's kind is denied, is not on the allow list, or has used up its quota."""

    @property
    def policy_id(self) -> str | None:
        """The policy that decided."""
        detail = self.problem.deny_detail
        return detail.blocked_by_policy if detail else None

    @property
    def quota(self) -> QuotaViolation | None:
        """The quota that is used up, where it was one."""
        detail = self.problem.deny_detail
        return detail.quota_violation if detail else None


class TenantSuspendedError(DeniedError):
    """The tenant is suspended: it finishes what runs and starts nothing new."""


class TenantClosedError(DeniedError):
    """The tenant is closed."""


class ReservationExpiredError(CyclesProtocolError):
    """The reservation's time is over; its hold went back to the budget."""


class ReservationFinalizedError(CyclesProtocolError):
    """The reservation was already committed or released, with another key."""


class ReservationNotFoundError(CyclesProtocolError):
    """The authority knows nothing under this id."""


class IdempotencyMismatchError(CyclesProtocolError):
    """The key was used before, for a different request."""


class UnitMismatchError(CyclesProtocolError):
    """The amount's unit is not the unit of the budget or of the reservation."""


class InvalidRequestError(CyclesProtocolError):
    """The request is malformed; the message names the field."""


class UnauthorizedError(CyclesProtocolError):
    """The key is missing, unknown, expired or revoked."""


class ForbiddenError(CyclesProtocolError):
    """The key is valid, but not for this."""


class RateLimitedError(CyclesProtocolError):
    """Too many requests; ask again after `retry_after_ms`."""

    retryable = True


class InternalServerError(CyclesProtocolError):
    """The authority failed; asking again with the same key is safe."""

    retryable = True


class SettlementRefusedError(CyclesProtocolError):
    """The call ran, and the authority understood its commit and refused it.

    `result` is what the guarded function returned, `actual` what it should have been charged.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        reservation_id: str | None,
        actual: int | None,
        result: Any = None,
    ) -> None:
        super().__init__(problem)
        self.reservation_id = reservation_id
        self.actual = actual
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return (_settlement_refused, (self.problem, self.reservation_id, self.actual, self.result))


def _settlement_refused(
    problem: Problem, reservation_id: str | None, actual: int | None, result: Any
) -> SettlementRefusedError:
    return SettlementRefusedError(
        problem, reservation_id=reservation_id, actual=actual, result=result
    )


class CyclesTransportError(CyclesError):
    """No answer came; asking again with the same key is safe."""

    retryable: ClassVar[bool] = True

    def __init__(self, message: str, *, attempts: int = 1) -> None:
        super().__init__(message)
        self.attempts = attempts


class SpendNotRecordedError(CyclesError):
    """The call ran, but the authority has not confirmed its commit.

    The reservation still holds the estimate until it expires. `result` is what the guarded
    function returned.
    """

    def __init__(
        self, message: str, *, reservation_id: str | None, actual: int | None, result: Any = None
    ) -> None:
        super().__init__(message)
        self.reservation_id = reservation_id
        self.actual = actual
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return (_spend_not_recorded, (*self.args, self.reservation_id, self.actual, self.result))


def _spend_not_recorded(
    message: str, reservation_id: str | None, actual: int | None, result: Any
) -> SpendNotRecordedError:
    return SpendNotRecordedError(
        message, reservation_id=reservation_id, actual=actual, result=result
    )


class UnknownPriceError(CyclesError):
    """Nobody knows what the model costs; the call must not run."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"no price is known for the model {model!r}; give PriceBook a price for it or an "
            "amount as unknown_price, or install runcycles[prices]"
        )
        self.model = model

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.model,))


class StoreError(CyclesError):
    """The store cannot do what was asked."""


class StoreBusyError(StoreError):
    """Another process holds the store, or more waits for it than it takes."""


class StoreOverloadedError(StoreBusyError):
    """More waits for the store than it answers in time; nothing was changed."""


class MigrationNeededError(StoreError):
    """The database was written by another version of the server."""


class StoreCorruptError(StoreError):
    """The database cannot be trusted; nothing was changed."""


class ConfigurationError(CyclesError, ValueError):
    """A setting is missing or wrong; raised at construction, never in the middle of a call."""
