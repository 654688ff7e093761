"""What is told of the guard's questions: what was asked for which tool, and what was answered."""

from typing import Any

from runcycles import CyclesProtocolError, DeniedError
from runcycles.ops import Allowed, Decide, Denied, Reserve
from runcycles.types import DenyDetail
from runcycles_demos.authority.actions import TOOLS
from runcycles_demos.kit.overhearing import Heard
from runcycles_demos.kit.telling import Tell


class Questions:
    """Tells of every question about a tool."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def hear(self, heard: Heard) -> None:
        """Tell of one attempt to ask; another attempt has the same key."""
        op = heard.op
        if not isinstance(op, Reserve | Decide) or op.action.name not in TOOLS:
            return
        self._tell(
            "asked",
            heard.answered_at,
            op="decide" if isinstance(op, Decide) else "reserve",
            key=op.idempotency_key,
            tool=op.action.name,
            action=op.action.kind,
            toolset=op.subject.toolset,
            run_id=(op.subject.dimensions or {}).get("run_id"),
            ms=heard.ms,
            **_answer(heard.answer),
        )


def _answer(answer: object) -> dict[str, Any]:
    match answer:
        case Allowed():
            return {"allowed": True}
        case Denied():
            code = {"http": answer.status, "code": answer.reason_code}
            ids = {"request_id": answer.request_id, "trace_id": answer.trace_id}
            return {"allowed": False, **code, **ids, **_detail(answer.detail)}
        case CyclesProtocolError():
            code = {"http": answer.status, "code": answer.error_code}
            ids = {"request_id": answer.request_id, "trace_id": answer.trace_id}
            detail = _detail(answer.problem.deny_detail)
            if isinstance(answer, DeniedError):
                detail["scope"] = answer.scope
            return {"allowed": False, **code, **ids, **detail}
        case _:
            return {"allowed": False, "http": None, "code": type(answer).__name__}


def _detail(detail: DenyDetail | None) -> dict[str, Any]:
    if detail is None:
        return {}
    quota = detail.quota_violation
    used = {} if quota is None else {"used": quota.used, "limit": quota.limit}
    return {"scope": detail.blocked_by_scope, "policy": detail.blocked_by_policy, **used}
