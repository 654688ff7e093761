"""The witness of the ledger's decisions: a record of each, kept in the transaction it describes.

Of a denial that is repeated within a second there is one record, which counts; the first of them
is in the audit log too. So a runaway agent that is refused a thousand times a second leaves a few
rows, not thousands.
"""

from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, Protocol, cast

from runcycles import wire
from runcycles.errors import ErrorCode
from runcycles.ids import new_id
from runcycles.ledger.apply import Witness
from runcycles.ledger.authority import Standing
from runcycles.ledger.state import Need, Outcome, Record, Snapshot
from runcycles.ops import Allowed, Decide, Denied, Refused, Subjected
from runcycles.scopes import lineage
from runcycles.types import Action, Amount, Subject, Verdict
from runcycles.wire.adapters import adapter
from runcycles_server.decisions.facts import Question, asked_of, facts_text
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.records import AuditEntry, DecisionRecord, decision_key

_Seen = Outcome[Any] | Refused
_Kept = tuple[Record, ...] | Need
"""Named once, since the annotations of an inner function are worked out for every request."""

SHARED_MS: Final = 1_000
"""Denials of one question in the same second share a record."""
MAX_REQUEST_IDS: Final = 16
"""So many requests that share a record are known by their ids; the others are only counted."""


class Asker(Protocol):
    """Where a question came from."""

    @property
    def request_id(self) -> str:
        """The id of the request."""
        ...

    @property
    def trace_id(self) -> str:
        """The trace that the request belongs to."""
        ...

    def actor(self) -> Actor:
        """Who asks, as the audit log has it."""
        ...


def witness_of(tenant: str, fresh_id: str, asker: Asker) -> Witness:
    """What keeps the decision on a question of this tenant; if it is allowed, under this id."""

    def witness(snapshot: Snapshot, op: Subjected, standing: Standing, outcome: _Seen) -> _Kept:
        question = cast("Question", op)  # nobody shows it mere spending
        answer = outcome.reply if isinstance(outcome, Outcome) else outcome
        if isinstance(answer, Allowed):
            record = DecisionRecord(
                decision_id=fresh_id,
                tenant=tenant,
                at_ms=snapshot.now_ms,
                reservation_id=answer.reservation_id,
                request_ids=asker.request_id,
                trace_id=asker.trace_id,
                idempotency_key=op.idempotency_key,
                decision=answer.decision,
                reason=None,
                facts=facts_text(snapshot, question, tenant, standing, answer),
            )
            return (record,)

        # A denial has a record of its own, or is one more in that of this second.
        reason = answer.reason_code if isinstance(answer, Denied) else str(answer.reason)
        decision_id = _shared_id(snapshot.now_ms, question, tenant, standing.observed, reason)
        key = decision_key(decision_id)
        if missing := snapshot.missing((key,)):
            return Need(missing)
        earlier: DecisionRecord | None = snapshot.records[key]
        if earlier is not None:
            return (_repeated(earlier, asker.request_id),)
        record = DecisionRecord(
            decision_id=decision_id,
            tenant=tenant,
            at_ms=snapshot.now_ms,
            reservation_id=None,
            request_ids=asker.request_id,
            trace_id=asker.trace_id,
            idempotency_key=op.idempotency_key,
            decision=Verdict.DENY,
            reason=reason,
            facts=facts_text(snapshot, question, tenant, standing, answer),
        )
        if isinstance(answer, Refused) and answer.code is ErrorCode.FORBIDDEN:
            return (record,)  # as a failed request it is in the audit log anyway
        return (record, _entry(record, question, answer, asker.actor()))

    return witness


def _shared_id(now_ms: int, op: Question, tenant: str, observed: bool, reason: str) -> str:
    """The id of the denials of one question for one reason in one second; it grows with time."""
    second = now_ms - now_ms % SHARED_MS
    action = op.action
    asked = (asked_of(op), observed, tenant, lineage(op.subject)[-1], action.kind, action.name)
    digest = sha256(repr((*asked, op.estimate.unit.value, reason)).encode()).hexdigest()
    return f"{second >> 16:08x}-{second & 0xFFFF:04x}-{digest[:20]}"


def _repeated(record: DecisionRecord, request_id: str) -> DecisionRecord:
    ids = record.request_ids
    if record.repeats + 1 < MAX_REQUEST_IDS:
        ids = f"{ids}\n{request_id}"
    return replace(record, repeats=record.repeats + 1, request_ids=ids)


def _entry(
    record: DecisionRecord, op: Question, answer: Denied | Refused, actor: Actor
) -> AuditEntry:
    """The denial in the audit log; the repetitions of this second are in its record alone."""
    status = 200 if isinstance(answer, Denied) else wire.problem_of(answer).status
    return AuditEntry(
        log_id=f"log_{new_id()}",
        at_ms=record.at_ms,
        tenant_id=record.tenant,
        operation="decide" if isinstance(op, Decide) else "createReservation",
        status=status,
        key_id=actor.key_id,
        user_agent=actor.user_agent,
        source_ip=actor.source_ip,
        request_id=actor.request_id,
        trace_id=actor.trace_id,
        error_code=record.reason,
        details={
            "actor_type": actor.kind,
            "decision": record.decision,
            "decision_id": record.decision_id,
            "error_message": answer.message,
            "subject": _plain(Subject, op.subject),
            "action": _plain(Action, op.action),
            "amount": _plain(Amount, op.estimate),
        },
    )


def _plain(record_type: type[Any], value: Any) -> Any:
    return adapter(record_type).dump_python(value, mode="json", exclude_none=True)
