"""Refusals as the protocol's error body, and back."""

import json
from typing import Any

from pydantic import ValidationError

from runcycles.errors import Problem
from runcycles.ops import Refused
from runcycles.types import DenyDetail
from runcycles.wire.adapters import adapter
from runcycles.wire.codes import rule_of


def problem_of(refused: Refused) -> Problem:
    """A refusal of the ledger as the authority states it."""
    details = dict(refused.details)
    if refused.scope is not None:
        details["scope"] = refused.scope
    if refused.requested is not None:
        details["requested"] = refused.requested.amount
    return Problem(
        status=rule_of(refused.code).status,
        error_code=refused.code,
        reason_code=refused.reason,
        message=refused.message,
        retry_after_ms=refused.retry_after_ms,
        details=details,
        deny_detail=refused.deny_detail,
    )


def encode_problem(problem: Problem, *, request_id: str, trace_id: str) -> bytes:
    """The error body: code, message, ids, and details where there are any."""
    details = dict(problem.details)
    if problem.deny_detail is not None:
        details["deny_detail"] = adapter(DenyDetail).dump_python(
            problem.deny_detail, mode="json", exclude_none=True
        )
    body: dict[str, Any] = {
        "error": problem.error_code,
        "message": problem.message,
        "request_id": request_id,
        "trace_id": trace_id,
    }
    if details:
        body["details"] = details
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def decode_problem(
    status: int,
    body: bytes,
    *,
    request_id: str | None = None,
    trace_id: str | None = None,
    retry_after_ms: int | None = None,
) -> Problem:
    """An error answer, whatever it holds; one without a readable body is still a problem."""
    found = _object(body)
    details = found.get("details")
    details = details if isinstance(details, dict) else {}
    detail = _detail(details.get("deny_detail"))
    code = found.get("error")
    reason = detail.reason_code if detail else found.get("reason_code")
    return Problem(
        status=status,
        error_code=code if isinstance(code, str) else f"HTTP_{status}",
        message=str(found.get("message") or f"the authority answered {status} without a message"),
        reason_code=reason if isinstance(reason, str) else None,
        request_id=_text(found.get("request_id")) or request_id,
        trace_id=_text(found.get("trace_id")) or trace_id,
        retry_after_ms=retry_after_ms,
        details=details,
        deny_detail=detail,
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _detail(found: Any) -> DenyDetail | None:
    try:
        return None if found is None else adapter(DenyDetail).validate_python(found, extra="ignore")
    except ValidationError:
        return None
