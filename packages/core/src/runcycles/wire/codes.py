"""One table: protocol code → HTTP status, and the error a caller sees, by what was asked.

A denial comes only from a question (reserve, decide). The same code on a commit, release or
event means that a settlement was refused.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from runcycles import errors
from runcycles.errors import CyclesProtocolError, ErrorCode, Problem, SettlementRefusedError
from runcycles.ops import Commit, Decide, Op, Record, Release, Reserve


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """The status of a code, its error in general, and its error as the answer to a question."""

    status: int
    error: type[CyclesProtocolError]
    denial: type[errors.DeniedError] | None = None
    settles: bool = False
    """Whether a commit, release or event that gets this code was understood and refused."""


_RULES: Final = {
    ErrorCode.INVALID_REQUEST: ErrorRule(400, errors.InvalidRequestError),
    ErrorCode.UNIT_MISMATCH: ErrorRule(400, errors.UnitMismatchError),
    ErrorCode.UNAUTHORIZED: ErrorRule(401, errors.UnauthorizedError),
    ErrorCode.FORBIDDEN: ErrorRule(403, errors.ForbiddenError),
    ErrorCode.INSUFFICIENT_PERMISSIONS: ErrorRule(403, errors.ForbiddenError),
    ErrorCode.NOT_FOUND: ErrorRule(
        404, errors.ReservationNotFoundError, errors.BudgetNotFoundError
    ),
    ErrorCode.TENANT_NOT_FOUND: ErrorRule(404, CyclesProtocolError),
    ErrorCode.BUDGET_NOT_FOUND: ErrorRule(404, CyclesProtocolError, errors.BudgetNotFoundError),
    ErrorCode.DUPLICATE_RESOURCE: ErrorRule(409, CyclesProtocolError),
    ErrorCode.KEY_REVOKED: ErrorRule(409, CyclesProtocolError),
    ErrorCode.KEY_EXPIRED: ErrorRule(409, CyclesProtocolError),
    ErrorCode.TENANT_CLOSED: ErrorRule(
        409, CyclesProtocolError, errors.TenantClosedError, settles=True
    ),
    ErrorCode.ACTION_KIND_DENIED: ErrorRule(
        409, CyclesProtocolError, errors.ActionDeniedError, settles=True
    ),
    ErrorCode.ACTION_KIND_NOT_ALLOWED: ErrorRule(
        409, CyclesProtocolError, errors.ActionDeniedError, settles=True
    ),
    ErrorCode.ACTION_QUOTA_EXCEEDED: ErrorRule(
        409, CyclesProtocolError, errors.ActionDeniedError, settles=True
    ),
    ErrorCode.BUDGET_FROZEN: ErrorRule(
        409, CyclesProtocolError, errors.BudgetFrozenError, settles=True
    ),
    ErrorCode.BUDGET_CLOSED: ErrorRule(
        409, CyclesProtocolError, errors.BudgetClosedError, settles=True
    ),
    ErrorCode.OVERDRAFT_LIMIT_EXCEEDED: ErrorRule(
        409, CyclesProtocolError, errors.OverdraftLimitExceededError, settles=True
    ),
    ErrorCode.DEBT_OUTSTANDING: ErrorRule(
        409, CyclesProtocolError, errors.DebtOutstandingError, settles=True
    ),
    ErrorCode.BUDGET_EXCEEDED: ErrorRule(
        409, CyclesProtocolError, errors.BudgetExceededError, settles=True
    ),
    ErrorCode.RESERVATION_FINALIZED: ErrorRule(409, errors.ReservationFinalizedError),
    ErrorCode.RESERVATION_EXPIRED: ErrorRule(410, errors.ReservationExpiredError),
    ErrorCode.IDEMPOTENCY_MISMATCH: ErrorRule(409, errors.IdempotencyMismatchError),
    ErrorCode.MAX_EXTENSIONS_EXCEEDED: ErrorRule(409, CyclesProtocolError),
    ErrorCode.LIMIT_EXCEEDED: ErrorRule(429, errors.RateLimitedError),
    ErrorCode.INTERNAL_ERROR: ErrorRule(500, errors.InternalServerError),
}

_BY_STATUS: Final = {
    400: errors.InvalidRequestError,
    401: errors.UnauthorizedError,
    403: errors.ForbiddenError,
    410: errors.ReservationExpiredError,
    429: errors.RateLimitedError,
}


def rule_of(code: ErrorCode) -> ErrorRule:
    """The row of a code; the table is total."""
    return _RULES[code]


def error_for(op: Op[Any] | None, problem: Problem) -> CyclesProtocolError:
    """The error a caller sees when this op is answered with this problem."""
    rule = _RULES.get(ErrorCode(problem.error_code)) if problem.error_code in _RULES else None
    if rule is None:
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return errors.InternalServerError(problem)
        return _BY_STATUS.get(problem.status, CyclesProtocolError)(problem)
    if isinstance(op, Reserve | Decide):
        if problem.reason_code == errors.ReasonCode.TENANT_SUSPENDED:
            return errors.TenantSuspendedError(problem)
        return (rule.denial or rule.error)(problem)
    if isinstance(op, Commit | Release | Record) and rule.settles:
        return SettlementRefusedError(
            problem,
            reservation_id=None if isinstance(op, Record) else op.reservation_id,
            actual=None if isinstance(op, Release) else op.actual.amount,
        )
    return rule.error(problem)
