"""What an operator asks about budgets."""

import hashlib
import json
from typing import Any

from runcycles.ids import new_id
from runcycles.ledger.idempotency import DAY_MS, Answer, Answered, Keyed, Replayed, remember, replay
from runcycles.ledger.state import Account, Need, Outcome, Snapshot, account_key, tenant_key
from runcycles.types import Unit
from runcycles_server.governance.audit.deeds import Actor, Deed
from runcycles_server.governance.budgets import rules
from runcycles_server.governance.budgets.bodies import BudgetCreate, Fund, Funded
from runcycles_server.governance.operator import Operator, encode
from runcycles_server.governance.scopes import canonical_scope


async def create(
    operator: Operator, request: BudgetCreate, actor: Actor, *, tenant: str
) -> Account:
    """A new budget of this tenant."""
    scope, ledger_id = canonical_scope(request.scope), new_id()
    return await operator.change(
        (tenant_key(tenant), account_key(tenant, scope, request.unit)),
        lambda snapshot: rules.create(
            snapshot, request, tenant=tenant, scope=scope, ledger_id=ledger_id
        ),
        deed=_deed("createBudget", tenant, scope, request.unit, status=201),
        actor=actor,
    )


async def fund(
    operator: Operator, request: Fund, actor: Actor, *, tenant: str, scope: str, unit: Unit
) -> bytes:
    """What was done to a budget, as it is remembered: the same key gets the same bytes."""
    keyed: Keyed[Funded] = Keyed(
        tenant=tenant,
        endpoint=f"fund/{scope}/{unit}",
        idempotency_key=request.idempotency_key or new_id(),
        fingerprint=_fingerprint(request),
        encode=lambda outcome: encode(outcome.reply),
    )

    def transition(snapshot: Snapshot) -> Outcome[Answer[Funded]] | Need:
        if (earlier := replay(snapshot, keyed)) is not None:
            return earlier
        outcome = rules.fund(snapshot, request, tenant=tenant, scope=scope, unit=unit)
        return remember(outcome, keyed, until_ms=snapshot.now_ms + DAY_MS)

    answer: Answered[Funded] | Replayed = await operator.change(
        (tenant_key(tenant), account_key(tenant, scope, unit), keyed.key),
        transition,
        deed=_deed(
            "fundBudget",
            tenant,
            scope,
            unit,
            operation=request.operation,
            amount=request.amount.amount,
            reason=request.reason,
        ),
        actor=actor,
    )
    return answer.raw


def _fingerprint(request: Fund) -> bytes:
    canonical = json.dumps(json.loads(encode(request)), sort_keys=True)
    return hashlib.sha256(canonical.encode()).digest()


def _deed(
    operation_id: str, tenant: str, scope: str, unit: Unit, *, status: int = 200, **said: Any
) -> Deed:
    return Deed(
        operation=operation_id,
        resource_type="budget",
        resource_id=f"{scope}:{unit}",
        tenant=tenant,
        status=status,
        metadata={name: value for name, value in said.items() if value is not None},
    )
