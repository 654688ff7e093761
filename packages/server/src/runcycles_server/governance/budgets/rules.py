"""What may be done to budgets. Pure transitions, like the ledger's rules."""

from dataclasses import replace

from runcycles.errors import ErrorCode
from runcycles.ledger import funding
from runcycles.ledger.state import Account, Budget, Outcome, Snapshot
from runcycles.ops import Refused
from runcycles.types import Amount, BudgetStatus, Caps, SignedAmount, TenantStatus
from runcycles_server.governance.budgets.bodies import BudgetCreate, BudgetUpdate, Fund, Funded
from runcycles_server.governance.budgets.places import Place
from runcycles_server.governance.moments import epoch_ms, iso
from runcycles_server.governance.refusals import (
    closed_tenant,
    invalid_field,
    unknown_tenant,
    wrong_state,
)
from runcycles_server.governance.scopes import owner_of


def create(
    snapshot: Snapshot, request: BudgetCreate, *, at: Place, ledger_id: str
) -> Outcome[Account | Refused]:
    """A new budget for a scope of an ACTIVE tenant."""
    if refusal := _cannot_create(snapshot, request, at):
        return Outcome(refusal)

    # From here on it succeeds.
    now_ms = snapshot.now_ms
    account = Account(
        tenant=at.tenant,
        scope=at.scope,
        unit=at.unit,
        allocated=request.allocated.amount,
        overdraft_limit=request.overdraft_limit.amount if request.overdraft_limit else 0,
        budget=Budget(
            ledger_id=ledger_id,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            overage_policy=request.commit_overage_policy,
            rollover_policy=request.rollover_policy or "NONE",
            period_start_ms=None
            if request.period_start is None
            else epoch_ms(request.period_start),
            period_end_ms=None if request.period_end is None else epoch_ms(request.period_end),
            metadata=request.metadata,
        ),
    )
    return Outcome(account, (account,))


def _cannot_create(snapshot: Snapshot, request: BudgetCreate, at: Place) -> Refused | None:
    if owner_of(at.scope) != at.tenant:
        return invalid_field("scope", f"{at.scope} does not belong to the tenant {at.tenant}")
    for name, amount in (
        ("allocated", request.allocated),
        ("overdraft_limit", request.overdraft_limit),
    ):
        if amount is not None and amount.unit is not at.unit:
            return _unit_mismatch(name, amount, at)
    owner = snapshot.tenant(at.tenant)
    if owner is None:
        return unknown_tenant(at.tenant)
    if owner.status == TenantStatus.CLOSED:
        return closed_tenant(at.tenant)
    if owner.status != TenantStatus.ACTIVE:
        return Refused(
            code=ErrorCode.INVALID_REQUEST,
            message=f"The tenant {at.tenant} is {owner.status} and takes no new budgets",
        )
    if snapshot.account(at.key) is not None:
        return Refused(
            code=ErrorCode.DUPLICATE_RESOURCE,
            message=f"{at.scope} has a {at.unit} budget already; fund that one",
            scope=at.scope,
        )
    return None


def fund(snapshot: Snapshot, request: Fund, at: Place) -> Outcome[Funded] | Refused:
    """What the operator does to a budget's numbers."""
    before = _found(snapshot, at)
    if isinstance(before, Refused):
        return before
    after = funding.fund(before, request.operation, request.amount, spent=request.spent)
    if isinstance(after, Refused):
        return after

    # From here on it succeeds.
    after = _touched(after, snapshot.now_ms)
    return Outcome(_funded(request, before, after, snapshot.now_ms), (after,))


def update(snapshot: Snapshot, request: BudgetUpdate, at: Place) -> Outcome[Account | Refused]:
    """Another limit, policy or metadata, frozen or not; what is already so changes nothing."""
    before = _changeable(snapshot, at)
    if isinstance(before, Refused):
        return Outcome(before)
    limit = request.overdraft_limit
    if limit is not None and limit.unit is not at.unit:
        return Outcome(_unit_mismatch("overdraft_limit", limit, at))

    # From here on it succeeds.
    budget = replace(
        before.budget,
        overage_policy=request.commit_overage_policy or before.budget.overage_policy,
        metadata=before.budget.metadata if request.metadata is None else request.metadata,
    )
    after = funding.allow_overdraft(
        replace(before, budget=budget), before.overdraft_limit if limit is None else limit.amount
    )
    return _kept(snapshot, before, after)


def set_caps(snapshot: Snapshot, caps: Caps | None, at: Place) -> Outcome[Account | Refused]:
    """Other caps, or none, on what a budget allows from now on."""
    before = _changeable(snapshot, at)
    if isinstance(before, Refused):
        return Outcome(before)

    # From here on it succeeds.
    after = replace(before, budget=replace(before.budget, caps=None if caps == Caps() else caps))
    return _kept(snapshot, before, after)


def freeze(snapshot: Snapshot, at: Place) -> Outcome[Account | Refused]:
    """Take nothing new and no funds; what runs may be settled."""
    return _switch(snapshot, at, BudgetStatus.ACTIVE, BudgetStatus.FROZEN)


def unfreeze(snapshot: Snapshot, at: Place) -> Outcome[Account | Refused]:
    """Take reservations and funds again."""
    return _switch(snapshot, at, BudgetStatus.FROZEN, BudgetStatus.ACTIVE)


def _switch(
    snapshot: Snapshot, at: Place, old: BudgetStatus, new: BudgetStatus
) -> Outcome[Account | Refused]:
    before = _found(snapshot, at)
    if isinstance(before, Refused):
        return Outcome(before)
    if before.status is not old:
        return Outcome(
            wrong_state(
                f"The {at.unit} budget of {at.scope} is {before.status}; "
                f"only one that is {old} can become {new}"
            )
        )

    # From here on it succeeds.
    after = _touched(replace(before, status=new), snapshot.now_ms)
    return Outcome(after, (after,))


def missing(at: Place) -> Refused:
    """There is no such budget."""
    return Refused(
        code=ErrorCode.BUDGET_NOT_FOUND,
        message=f"{at.scope} has no {at.unit} budget",
        scope=at.scope,
    )


def _found(snapshot: Snapshot, at: Place) -> Account | Refused:
    """The budget, if it is there and its tenant is not closed, which beats any state of its own."""
    found = snapshot.account(at.key)
    if found is None:
        return missing(at)
    owner = snapshot.tenant(at.tenant)
    if owner is not None and owner.status == TenantStatus.CLOSED:
        return closed_tenant(at.tenant)
    return found


def _changeable(snapshot: Snapshot, at: Place) -> Account | Refused:
    """The budget, unless it is closed; a frozen one may be changed."""
    found = _found(snapshot, at)
    if isinstance(found, Account) and found.status is BudgetStatus.CLOSED:
        return Refused(
            code=ErrorCode.BUDGET_CLOSED,
            message=f"The {at.unit} budget of {at.scope} is closed and cannot change",
            scope=at.scope,
        )
    return found


def _kept(snapshot: Snapshot, before: Account, after: Account) -> Outcome[Account | Refused]:
    if after == before:
        return Outcome(before)
    after = _touched(after, snapshot.now_ms)
    return Outcome(after, (after,))


def _touched(account: Account, now_ms: int) -> Account:
    return replace(account, budget=replace(account.budget, updated_at_ms=now_ms))


def _funded(request: Fund, before: Account, after: Account, now_ms: int) -> Funded:
    unit = after.unit
    return Funded(
        operation=request.operation,
        previous_allocated=Amount(unit=unit, amount=before.allocated),
        new_allocated=Amount(unit=unit, amount=after.allocated),
        previous_remaining=SignedAmount(unit=unit, amount=before.remaining),
        new_remaining=SignedAmount(unit=unit, amount=after.remaining),
        previous_debt=Amount(unit=unit, amount=before.debt),
        new_debt=Amount(unit=unit, amount=after.debt),
        previous_spent=Amount(unit=unit, amount=before.spent),
        new_spent=Amount(unit=unit, amount=after.spent),
        timestamp=iso(now_ms),
    )


def _unit_mismatch(name: str, amount: Amount, at: Place) -> Refused:
    return Refused(
        code=ErrorCode.UNIT_MISMATCH,
        message=f"{name} is in {amount.unit}, the budget in {at.unit}",
    )
