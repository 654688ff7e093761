"""What an operator asks about budgets."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from runcycles.ids import new_id
from runcycles.ledger.funding import FundOperation
from runcycles.ledger.idempotency import DAY_MS, Answer, Answered, Keyed, Replayed, remember, replay
from runcycles.ledger.state import Account, Need, Outcome, Snapshot, tenant_key
from runcycles.ops import Refused
from runcycles.scopes import passes_filter
from runcycles_server.governance.audit.deeds import Actor, Deed
from runcycles_server.governance.budgets import rules
from runcycles_server.governance.budgets.bodies import (
    BudgetCreate,
    BudgetUpdate,
    CapsUpdate,
    Freeze,
    Fund,
    Funded,
)
from runcycles_server.governance.budgets.places import Place
from runcycles_server.governance.operator import Operator, encode, error_of
from runcycles_server.governance.scopes import canonical_scope

_FIGURES: Final = ("allocated", "remaining", "debt", "spent")


async def create(
    operator: Operator, request: BudgetCreate, actor: Actor, *, tenant: str
) -> Account:
    """A new budget of this tenant."""
    at = Place(tenant=tenant, scope=canonical_scope(request.scope), unit=request.unit)
    ledger_id = new_id()
    return await _change(
        operator,
        lambda snapshot: rules.create(snapshot, request, at=at, ledger_id=ledger_id),
        at,
        _deed("createBudget", at, status=201),
        actor,
    )


async def visible(
    operator: Operator, tenant: str | None, scope_filter: tuple[str, ...]
) -> list[Account]:
    """The budgets of a tenant (None: of all) that a key with this scope filter may see."""
    accounts = await operator.store.accounts(tenant)
    return [account for account in accounts if passes_filter(account.scope, scope_filter)]


async def lookup(operator: Operator, at: Place) -> Account:
    """The budget at a place.

    Raises:
        CyclesProtocolError: there is none.
    """
    found: Account | None = await operator.store.get(at.key)
    if found is None:
        raise error_of(rules.missing(at))
    return found


async def update(operator: Operator, request: BudgetUpdate, actor: Actor, at: Place) -> Account:
    """The budget with what is to be different about it."""
    return await _change(
        operator,
        lambda snapshot: rules.update(snapshot, request, at),
        at,
        _deed("updateBudget", at),
        actor,
    )


async def set_caps(operator: Operator, request: CapsUpdate, actor: Actor, at: Place) -> Account:
    """The budget with these caps."""
    return await _change(
        operator,
        lambda snapshot: rules.set_caps(snapshot, request.caps, at),
        at,
        _deed("setBudgetCaps", at),
        actor,
    )


async def freeze(operator: Operator, request: Freeze, actor: Actor, at: Place) -> Account:
    """The budget, frozen."""
    deed = _deed("freezeBudget", at, reason=request.reason, metadata=request.metadata)
    return await _change(operator, lambda snapshot: rules.freeze(snapshot, at), at, deed, actor)


async def unfreeze(operator: Operator, request: Freeze, actor: Actor, at: Place) -> Account:
    """The budget, open again."""
    deed = _deed("unfreezeBudget", at, reason=request.reason, metadata=request.metadata)
    return await _change(operator, lambda snapshot: rules.unfreeze(snapshot, at), at, deed, actor)


async def fund(operator: Operator, request: Fund, actor: Actor, at: Place) -> bytes:
    """What was done to a budget, as it is remembered: the same key gets the same bytes."""
    keyed: Keyed[Funded] = Keyed(
        tenant=at.tenant,
        endpoint=f"fund/{at.scope}/{at.unit}",
        idempotency_key=request.idempotency_key or new_id(),
        fingerprint=_fingerprint(request),
        encode=lambda outcome: encode(outcome.reply),
    )

    def transition(snapshot: Snapshot) -> Outcome[Answer[Funded]] | Need:
        if (earlier := replay(snapshot, keyed)) is not None:
            return earlier
        outcome = rules.fund(snapshot, request, at)
        return remember(outcome, keyed, until_ms=snapshot.now_ms + DAY_MS)

    answer: Answered[Funded] | Replayed = await operator.change(
        (tenant_key(at.tenant), at.key, keyed.key),
        transition,
        deed=_funding(request, at),
        actor=actor,
    )
    return answer.raw


async def _change(
    operator: Operator,
    transition: Callable[[Snapshot], Outcome[Account | Refused]],
    at: Place,
    deed: Deed,
    actor: Actor,
) -> Account:
    footprint = (tenant_key(at.tenant), at.key)
    return await operator.change(footprint, transition, deed=deed, actor=actor)


def _fingerprint(request: Fund) -> bytes:
    canonical = json.dumps(json.loads(encode(request)), sort_keys=True)
    return hashlib.sha256(canonical.encode()).digest()


def _funding(request: Fund, at: Place) -> Deed:
    """The deed of a funding; its entry has the protocol's own figures as well."""
    said: dict[str, Any] = {
        "operation": request.operation,
        "amount": {"unit": request.amount.unit, "amount": request.amount.amount},
        "reason": request.reason,
        "metadata": request.metadata,
    }
    if request.operation is FundOperation.RESET_SPENT:
        said["spent_override_provided"] = request.spent is not None
    return _deed("fundBudget", at, of_reply=_figures, **said)


def _figures(answer: Answered[Funded]) -> dict[str, int]:
    names = [f"{when}_{figure}" for figure in _FIGURES for when in ("previous", "new")]
    return {name: getattr(answer.value, name).amount for name in names}


def _deed(
    operation_id: str,
    at: Place,
    *,
    status: int = 200,
    of_reply: Callable[[Any], dict[str, int]] | None = None,
    **said: Any,
) -> Deed:
    return Deed(
        operation=operation_id,
        resource_type="budget",
        resource_id=f"{at.scope}:{at.unit}",
        tenant=at.tenant,
        status=status,
        metadata={name: value for name, value in said.items() if value is not None},
        of_reply=of_reply,
    )
