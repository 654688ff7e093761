"""Budgets as operators read them."""

from runcycles.ledger.state import Account
from runcycles.types import Amount, SignedAmount
from runcycles_server.governance.budgets.bodies import BudgetCaps, BudgetView
from runcycles_server.governance.moments import iso, iso_or_none


def view(account: Account) -> BudgetView:
    """A budget as operators read it."""
    unit, budget = account.unit, account.budget
    return BudgetView(
        ledger_id=budget.ledger_id,
        tenant_id=account.tenant,
        scope=account.scope,
        scope_path=account.scope,
        unit=unit,
        allocated=Amount(unit=unit, amount=account.allocated),
        remaining=SignedAmount(unit=unit, amount=account.remaining),
        reserved=Amount(unit=unit, amount=account.reserved),
        spent=Amount(unit=unit, amount=account.spent),
        debt=Amount(unit=unit, amount=account.debt),
        overdraft_limit=Amount(unit=unit, amount=account.overdraft_limit),
        is_over_limit=account.blocked_by_overdraft,
        commit_overage_policy=budget.overage_policy,
        status=account.status,
        rollover_policy=budget.rollover_policy,
        period_start=iso_or_none(budget.period_start_ms),
        period_end=iso_or_none(budget.period_end_ms),
        created_at=iso(budget.created_at_ms),
        updated_at=iso(budget.updated_at_ms),
    )


def caps_view(account: Account) -> BudgetCaps:
    """A budget's caps, which the protocol's view has no place for."""
    return BudgetCaps(
        tenant_id=account.tenant,
        scope=account.scope,
        unit=account.unit,
        caps=account.budget.caps,
    )
