"""Attempts that failed, in the audit log: what was tried, by whom, and what was answered.

Whoever has no key may knock as often as they like, and a program with one may repeat its mistake
for hours. So of each source only so many attempts are written down, and the next one that is says
how many were left out. What the operator tries is always written down.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final

from runcycles.errors import Problem
from runcycles.ids import new_id
from runcycles.ledger.state import Outcome
from runcycles_server.governance.audit.deeds import ADMIN, Actor
from runcycles_server.records import UNAUTHENTICATED, AuditEntry
from runcycles_server.stores.base import Store
from runcycles_server.throttle import Throttle

MAX_MESSAGE: Final = 1_024
"""The protocol's limit to the message of an entry."""
MAX_PATH: Final = 256
"""Twice the longest path of the protocol."""

logger = logging.getLogger("runcycles.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request that failed: what was asked, and what was answered.

    `tenant_id` is whose entry it is, in the protocol's words; `template` is the path as the table
    of endpoints has it; `exception` is what nobody expected.
    """

    tenant_id: str
    actor: Actor
    method: str
    path: str
    template: str | None
    problem: Problem
    exception: Exception | None = None


class Attempts:
    """Writes attempts down, each in a transaction of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left_out = 0
        self._sources = Throttle(burst=100, every_ms=1_000)
        # everybody without a key together: some 70 MB a day at most
        self._strangers = Throttle(burst=1_000, every_ms=500)

    async def keep(self, attempt: Attempt) -> None:
        """Write an attempt down; where that fails, the log says so and the answer is the same."""
        left_out, self._left_out = self._left_out, 0
        try:
            if not self._admits(attempt):
                self._left_out += left_out + 1
                return
            await self._store.transact(
                (),
                lambda snapshot: Outcome(None, (_entry(attempt, snapshot.now_ms, left_out),)),
            )
        except Exception:
            self._left_out += left_out + 1
            logger.exception("request %s is not in the audit log", attempt.actor.request_id)

    def _admits(self, attempt: Attempt) -> bool:
        now_ms, actor = self._store.now_ms(), attempt.actor
        if attempt.tenant_id == ADMIN:
            return True
        if attempt.tenant_id != UNAUTHENTICATED:
            return self._sources.admits(actor.key_id, now_ms)
        return self._sources.admits(actor.source_ip, now_ms) and self._strangers.admits("", now_ms)


def _entry(attempt: Attempt, at_ms: int, left_out: int) -> AuditEntry:
    actor, problem = attempt.actor, attempt.problem
    details: dict[str, Any] = {
        "error_message": _line(problem.message, MAX_MESSAGE),
        "method": attempt.method,
        "path": _line(attempt.path, MAX_PATH),
    }
    if attempt.exception is not None:
        details["exception_class"] = type(attempt.exception).__name__
    if left_out:
        details["left_out"] = left_out
    return AuditEntry(
        log_id=f"log_{new_id()}",
        at_ms=at_ms,
        tenant_id=attempt.tenant_id,
        operation=f"{attempt.method}:{attempt.template or details['path']}",
        status=problem.status,
        key_id=actor.key_id,
        user_agent=actor.user_agent,
        source_ip=actor.source_ip,
        request_id=actor.request_id,
        trace_id=actor.trace_id,
        error_code=problem.error_code,
        details=details,
    )


def _line(text: str, limit: int) -> str:
    """A text that stays on its line, however a stranger has put it."""
    return "".join(each if each.isprintable() else " " for each in text[:limit])
