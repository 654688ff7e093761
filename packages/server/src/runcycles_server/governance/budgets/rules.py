"""What may be done to budgets. Pure transitions, like the ledger's rules."""

from dataclasses import replace

from runcycles.errors import ErrorCode
from runcycles.ledger import funding
from runcycles.ledger.state import Account, Budget, Outcome, Snapshot, account_key
from runcycles.ops import Refused
from runcycles.types import Amount, SignedAmount, TenantStatus, Unit
from runcycles_server.governance.budgets.bodies import BudgetCreate, Fund, Funded
from runcycles_server.governance.moments import epoch_ms, iso
from runcycles_server.governance.refusals import closed_tenant, invalid_field, unknown_tenant
from runcycles_server.governance.scopes import owner_of


def create(
    snapshot: Snapshot, request: BudgetCreate, *, tenant: str, scope: str, ledger_id: str
) -> Outcome[Account | Refused]:
    """A new budget for a canonical scope of an ACTIVE tenant."""
    if refusal := _cannot_create(snapshot, request, tenant=tenant, scope=scope):
        return Outcome(refusal)

    # From here on it succeeds.
    now_ms = snapshot.now_ms
    account = Account(
        tenant=tenant,
        scope=scope,
        unit=request.unit,
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


def _cannot_create(
    snapshot: Snapshot, request: BudgetCreate, *, tenant: str, scope: str
) -> Refused | None:
    unit = request.unit
    if owner_of(scope) != tenant:
        return invalid_field("scope", f"{scope} does not belong to the tenant {tenant}")
    for name, amount in (
        ("allocated", request.allocated),
        ("overdraft_limit", request.overdraft_limit),
    ):
        if amount is not None and amount.unit is not unit:
            return _unit_mismatch(f"{name} is in {amount.unit}, the budget in {unit}")
    owner = snapshot.tenant(tenant)
    if owner is None:
        return unknown_tenant(tenant)
    if owner.status == TenantStatus.CLOSED:
        return closed_tenant(tenant)
    if owner.status != TenantStatus.ACTIVE:
        return Refused(
            code=ErrorCode.INVALID_REQUEST,
            message=f"The tenant {tenant} is {owner.status} and takes no new budgets",
        )
    if snapshot.account(account_key(tenant, scope, unit)) is not None:
        return Refused(
            code=ErrorCode.DUPLICATE_RESOURCE,
            message=f"{scope} has a {unit} budget already; fund that one",
            scope=scope,
        )
    return None


def fund(
    snapshot: Snapshot, request: Fund, *, tenant: str, scope: str, unit: Unit
) -> Outcome[Funded] | Refused:
    """What the operator does to a budget's allocation."""
    before = snapshot.account(account_key(tenant, scope, unit))
    if before is None:
        return Refused(
            code=ErrorCode.BUDGET_NOT_FOUND, message=f"{scope} has no {unit} budget", scope=scope
        )
    owner = snapshot.tenant(tenant)
    if owner is not None and owner.status == TenantStatus.CLOSED:
        return closed_tenant(tenant)
    if request.spent is not None:
        return invalid_field("spent", "it belongs to RESET_SPENT alone")
    if request.operation != "CREDIT":
        return invalid_field("operation", f"{request.operation} is not supported here; CREDIT is")
    after = funding.credit(before, request.amount)
    if isinstance(after, Refused):
        return after

    # From here on it succeeds.
    after = replace(after, budget=replace(after.budget, updated_at_ms=snapshot.now_ms))
    return Outcome(_funded(request, before, after, snapshot.now_ms), (after,))


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


def _unit_mismatch(message: str) -> Refused:
    return Refused(code=ErrorCode.UNIT_MISMATCH, message=message)
