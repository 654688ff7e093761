"""A denial is a value where somebody asked, and an exception where a call must not run."""

from runcycles.errors import DeniedError, ErrorCode, Problem, ReasonCode
from runcycles.flows import Flow
from runcycles.ops import Decide, Decision, Denied, Reserve
from runcycles.scopes import lineage


def as_error(op: Reserve | Decide, denied: Denied) -> DeniedError:
    """The exception that stops a call whose question was answered so."""
    from runcycles.wire import error_for  # noqa: PLC0415 - pydantic is slow to import

    suspended = denied.reason_code == ReasonCode.TENANT_SUSPENDED
    detail = denied.detail
    details = {"requested": op.estimate.amount}
    problem = Problem(
        status=denied.status,
        error_code=ErrorCode.FORBIDDEN if suspended else denied.reason_code,
        message=denied.message or _sentence(op, denied),
        reason_code=denied.reason_code,
        request_id=denied.request_id,
        trace_id=denied.trace_id,
        retry_after_ms=denied.retry_after_ms,
        details=details,
        deny_detail=detail,
    )
    error = error_for(op, problem)
    return error if isinstance(error, DeniedError) else DeniedError(problem)


def as_value(op: Reserve | Decide, error: DeniedError) -> Denied:
    """The answer that an authority gave by refusing."""
    scopes = lineage(op.subject)
    return Denied(
        reason_code=error.reason_code or error.error_code,
        message=error.problem.message,
        affected_scopes=scopes,
        scope_path=scopes[-1] if scopes else None,
        requested=op.estimate,
        detail=error.problem.deny_detail,
        retry_after_ms=error.retry_after_ms,
        status=error.status,
        request_id=error.request_id,
        trace_id=error.trace_id,
    )


def decided(op: Reserve | Decide, flow: Flow[Decision]) -> Flow[Decision]:
    """A question whose denial is an answer, however the authority says it."""
    try:
        return (yield from flow)
    except DeniedError as error:
        return as_value(op, error)


def _sentence(op: Reserve | Decide, denied: Denied) -> str:
    where = denied.detail.blocked_by_scope if denied.detail else denied.scope_path
    return (
        f"{op.action.kind} {op.action.name} for {op.estimate.amount} {op.estimate.unit} was denied"
        + (f" at {where}" if where else "")
    )
