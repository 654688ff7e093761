"""One line per decision, as JSON on the logger `runcycles.calls`."""

import json
import logging
from typing import Any

from runcycles.errors import CyclesError, CyclesProtocolError
from runcycles.guard import BaseGuard
from runcycles.ops import Allowed

logger = logging.getLogger("runcycles.calls")


def log_decision(guard: BaseGuard, problem: CyclesError | None = None) -> None:
    """One line per decision, as JSON; a denial tells its reason and scope."""
    if not logger.isEnabledFor(logging.INFO):
        return
    decision = guard.decision
    line: dict[str, Any] = {
        "decision": "DENY" if problem else getattr(decision, "decision", None),
        "kind": guard.action.kind,
        "name": guard.action.name,
        "estimate": guard.estimate.amount,
        "unit": guard.estimate.unit,
        "agent": guard.subject.agent,
        "run_id": (guard.subject.dimensions or {}).get("run_id"),
        "reservation_id": decision.reservation_id if isinstance(decision, Allowed) else None,
        "trace_id": guard.trace_id,
    }
    if isinstance(problem, CyclesProtocolError):
        line |= {"reason": problem.reason_code or problem.error_code, "message": str(problem)}
    elif problem is not None:
        line |= {"reason": type(problem).__name__, "message": str(problem)}
    logger.info("%s", json.dumps({key: value for key, value in line.items() if value is not None}))
