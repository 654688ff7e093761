"""The authority's ways to say no to an action: one function each, with the sentence that helps.

Each names the policy or the stop that decided, so that whoever reads it knows whom to ask.
"""

from typing import Final

from runcycles.errors import ErrorCode, ReasonCode
from runcycles.ledger.counting import COMMITS, Considered
from runcycles.ledger.policies import EVERYTHING, Match, Policy, Stop
from runcycles.ledger.windows import minute_of, next_begins_ms
from runcycles.ops import Refused
from runcycles.types import QuotaViolation, QuotaWindow

_WINDOWS: Final = {
    QuotaWindow.PER_RUN: "run",
    QuotaWindow.PER_MINUTE: "minute",
    QuotaWindow.PER_HOUR: "hour",
    QuotaWindow.PER_DAY: "day",
    QuotaWindow.PER_TENANT_PER_DAY: "day",
}


def stopped(stop: Stop, scopes: tuple[str, ...]) -> Refused:
    """Somebody pulled the emergency brake."""
    target = "everything" if stop.target == EVERYTHING else stop.target
    return Refused(
        code=ErrorCode.BUDGET_FROZEN,
        reason=ReasonCode.BUDGET_FROZEN,
        message=(
            f"The emergency stop {stop.stop_id} of {target} holds: {stop.reason} "
            f"(stopped by {stop.stopped_by})"
        ),
        scope=scopes[0] if stop.target == EVERYTHING else stop.target,
        suggested_fix=f"Lift the stop {stop.stop_id} once it is safe; no budget has to change.",
        details={"stop_id": stop.stop_id},
    )


def undeclared_kind(kind: str) -> Refused:
    """An operator's own kind that no operator has declared."""
    return _invalid("action.kind", f"the custom kind {kind} is not declared; an operator has to")


def run_id_missing(policy: Policy, kind: str) -> Refused:
    """Something is counted per run, and the question does not say which run it belongs to."""
    return _invalid(
        "subject.dimensions.run_id",
        f"it is missing, and the {_named(policy)} counts {kind} per run",
    )


def kind_denied(match: Match, kind: str) -> Refused:
    """The kind is on the list of what may not be done."""
    return _of_kind(
        ReasonCode.ACTION_KIND_DENIED,
        match,
        message=f"The {_named(match.policy)} denies {kind} at {match.scope}",
        fix=f"Take {kind} off denied_action_kinds of the policy {match.policy.policy_id}.",
    )


def kind_not_allowed(match: Match, kind: str) -> Refused:
    """There is a list of what may be done, and the kind is not on it."""
    allowed = match.policy.allowed_action_kinds
    return _of_kind(
        ReasonCode.ACTION_KIND_NOT_ALLOWED,
        match,
        message=(
            f"{kind} is none of the {len(allowed)} kinds that the {_named(match.policy)} allows at "
            f"{match.scope}"
        ),
        fix=f"Put {kind} on allowed_action_kinds of the policy {match.policy.policy_id}.",
    )


def quota_used_up(limit: Considered, kind: str, now_ms: int) -> Refused:
    """As many reservations as the policy allows in this window were made."""
    policy, window = limit.policy, limit.window
    counted = kind if limit.risk_class is None else f"{limit.risk_class} actions"
    raised = f"raise max_calls of {counted} in the policy {policy.policy_id}"
    if window is QuotaWindow.PER_RUN:
        where = f"the run {limit.bucket}"
        fix = f"Release a reservation of this run that did nothing, or {raised}."
    else:
        where = f"the {_WINDOWS[window]} {limit.bucket}"
        fix = f"Wait until {_next(window, now_ms)}, or {raised}."
    return Refused(
        code=ErrorCode.ACTION_QUOTA_EXCEEDED,
        reason=ReasonCode.ACTION_QUOTA_EXCEEDED,
        message=(
            f"The {_named(policy)} allows {limit.limit} {counted} per {_WINDOWS[window]} at "
            f"{limit.scope}; {where} has used {limit.used}"
        ),
        scope=limit.scope,
        policy_id=policy.policy_id,
        suggested_fix=fix,
        quota=QuotaViolation(
            action_kind=kind,
            window=window,
            used=limit.used,
            limit=limit.limit,
            scope=limit.scope,
            window_key=limit.bucket,
            policy_id=policy.policy_id,
            risk_class=limit.risk_class,
        ),
    )


def rate_limited(limit: Considered, now_ms: int) -> Refused:
    """As much was begun, or committed, in this minute as the policy allows in one."""
    what = "commits" if limit.key[3] == COMMITS else "reservations"
    return Refused(
        code=ErrorCode.LIMIT_EXCEEDED,
        reason=ReasonCode.LIMIT_EXCEEDED,
        message=(
            f"The {_named(limit.policy)} allows {limit.limit} {what} per minute at {limit.scope}; "
            f"the minute {limit.bucket} has seen {limit.used}"
        ),
        scope=limit.scope,
        policy_id=limit.policy.policy_id,
        suggested_fix=(
            f"Wait until {_next(limit.window, now_ms)}, or raise max_{what}_per_minute of the "
            f"policy {limit.policy.policy_id}."
        ),
        retry_after_ms=next_begins_ms(limit.window, now_ms) - now_ms,
    )


def _of_kind(reason: ReasonCode, match: Match, *, message: str, fix: str) -> Refused:
    return Refused(
        code=ErrorCode(reason),
        reason=reason,
        message=message,
        scope=match.scope,
        policy_id=match.policy.policy_id,
        suggested_fix=fix,
    )


def _invalid(field: str, problem: str) -> Refused:
    return Refused(
        code=ErrorCode.INVALID_REQUEST,
        message=f"{field}: {problem}",
        details={"field": field},
    )


def _named(policy: Policy) -> str:
    return f"policy {policy.name!r} ({policy.policy_id})"


def _next(window: QuotaWindow, now_ms: int) -> str:
    return f"{minute_of(next_begins_ms(window, now_ms))}Z, when the next {_WINDOWS[window]} begins"
