"""Why something was decided, and what would be decided now."""

import asyncio

from runcycles.ids import new_id
from runcycles.ledger.apply import Request, plan
from runcycles.ledger.idempotency import Answer, Answered
from runcycles.ledger.state import Need, Outcome, Snapshot
from runcycles.ops import Allowed, Denied, Refused, Reserve
from runcycles.scopes import effective_lineage, passes_filter, segments
from runcycles.types import Action, Amount, Subject, Verdict
from runcycles_server.decisions.bodies import ExplainedDecision, Explanation, Now
from runcycles_server.decisions.facts import Facts, parse_facts
from runcycles_server.decisions.steps import steps_of
from runcycles_server.governance.moments import iso
from runcycles_server.records import DecisionRecord
from runcycles_server.stores.base import Store


async def explain(
    store: Store, wanted: str, *, tenant: str | None, scope_filter: tuple[str, ...] = ()
) -> Explanation | None:
    """Every decision that an id has to do with, and that this tenant (None: an operator) may see.

    None where there is none.
    """
    found = [
        (record, parse_facts(record.facts))
        for record in await store.decisions(wanted, tenant=tenant)
    ]
    seen = [each for each in found if passes_filter(_scope(*each), scope_filter)]
    if not seen:
        return None
    answers = await asyncio.gather(*[_now(store, record, facts) for record, facts in seen])
    return Explanation(
        id=wanted,
        decisions=tuple(
            _explained(record, facts, now)
            for (record, facts), now in zip(seen, answers, strict=True)
        ),
    )


def _explained(record: DecisionRecord, facts: Facts, now: Now) -> ExplainedDecision:
    question = _question(record, facts)
    return ExplainedDecision(
        decision_id=record.decision_id,
        decided_at=iso(record.at_ms),
        tenant_id=record.tenant,
        asked=facts.asked,
        decision=Verdict(record.decision),
        reason_code=record.reason,
        message=None if facts.refusal is None else facts.refusal.message,
        observed=facts.observed,
        repeats=record.repeats,
        subject=question.subject,
        action=question.action,
        estimate=question.estimate,
        caps=facts.caps,
        reservation_id=record.reservation_id,
        request_ids=tuple(record.request_ids.split("\n")),
        trace_id=record.trace_id,
        idempotency_key=record.idempotency_key,
        steps=steps_of(facts, record.reason),
        now=now,
    )


def _scope(record: DecisionRecord, facts: Facts) -> str:
    """The deepest scope, the tenant in it even where the question left it out."""
    return effective_lineage(_question(record, facts).subject, record.tenant)[-1]


def _question(record: DecisionRecord, facts: Facts) -> Reserve:
    """The question that was asked, as a dry run under a new key."""
    levels = segments(facts.scope)
    if "tenant" in levels:
        levels["tenant"] = record.tenant
    return Reserve(
        idempotency_key=new_id(),
        subject=Subject(**levels, dimensions=facts.dimensions),
        action=Action(kind=facts.kind, name=facts.name, policy_keys=facts.policy_keys),
        estimate=Amount(unit=facts.unit, amount=facts.amount),
        dry_run=True,
    )


async def _now(store: Store, record: DecisionRecord, facts: Facts) -> Now:
    """What the ledger says to the same question now; nothing is kept of the answer."""
    request: Request[Allowed | Denied] = Request(
        tenant=record.tenant, fingerprint=b"", encode=lambda _outcome: b"", fresh_id=""
    )
    planned = plan(_question(record, facts), request)

    def unchanging(snapshot: Snapshot) -> Outcome[Answer[Allowed | Denied]] | Need:
        outcome = planned.transition(snapshot)
        return outcome if isinstance(outcome, Need) else Outcome(outcome.reply)

    answer = await store.transact(planned.footprint, unchanging)
    said = answer.value if isinstance(answer, Answered) else answer
    match said:
        case Allowed(decision=decision):
            return Now(decision=decision)
        case Denied(reason_code=reason, message=message, detail=detail):
            fix = None if detail is None else detail.suggested_fix
        case Refused(code=reason, message=message, suggested_fix=fix):
            pass
        case _:
            raise AssertionError(f"a new key cannot be a replay: {answer}")
    return Now(decision=Verdict.DENY, reason_code=reason, message=message, what_would_allow_it=fix)
