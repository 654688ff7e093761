"""Budgets in pages."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from runcycles.ledger.state import Account
from runcycles.wire.requests import invalid
from runcycles_server.cursors import SortValue
from runcycles_server.governance.budgets.bodies import (
    BalanceQuery,
    BudgetBalancePage,
    BudgetPage,
    BudgetQuery,
    BudgetView,
)
from runcycles_server.governance.budgets.views import view
from runcycles_server.governance.paging import holds_text, page_of

_PARTS: Final = 10**9
"""Utilisation is compared in billionths, so that a cursor can carry it exactly."""


def page(rows: Iterable[Account], query: BudgetQuery, *, tenant: str | None) -> BudgetPage:
    """The page of budgets that a query asks for; `tenant` is whose they are, None for all."""
    budgets, cursor = _cut(rows, query, tenant)
    return BudgetPage(ledgers=budgets, next_cursor=cursor, has_more=cursor is not None)


def balances(rows: Iterable[Account], query: BalanceQuery, *, tenant: str) -> BudgetBalancePage:
    """The page of a tenant's budgets, of every state, by scope."""
    asked = BudgetQuery(
        scope_prefix=query.scope_prefix,
        unit=query.unit,
        sort_by="scope",
        sort_dir="asc",
        limit=query.limit,
        cursor=query.cursor,
    )
    budgets, cursor = _cut(rows, asked, tenant)
    return BudgetBalancePage(balances=budgets, next_cursor=cursor, has_more=cursor is not None)


def _cut(
    rows: Iterable[Account], query: BudgetQuery, tenant: str | None
) -> tuple[tuple[BudgetView, ...], str | None]:
    lowest, highest = query.utilization_min, query.utilization_max
    if lowest is not None and highest is not None and lowest > highest:
        raise invalid("utilization_min", "it is above utilization_max")
    orders: dict[str, Callable[[Account], SortValue]] = {
        "tenant_id": lambda row: row.tenant,
        "scope": lambda row: row.scope,
        "unit": lambda row: row.unit,
        "status": lambda row: row.status,
        "commit_overage_policy": lambda row: row.budget.overage_policy or "",
        "utilization": lambda row: row.allocated and row.spent * _PARTS // row.allocated,
        "debt": lambda row: row.debt,
    }
    rows_here, cursor = page_of(
        [row for row in rows if _holds(query, row)],
        replace(query, tenant_id=tenant),
        order=orders[query.sort_by],
        id_of=lambda row: row.budget.ledger_id,
    )
    return tuple(view(row) for row in rows_here), cursor


def _holds(query: BudgetQuery, row: Account) -> bool:
    used = row.spent / row.allocated if row.allocated else 0
    return (
        row.scope.startswith((query.scope_prefix or "").lower())
        and query.unit in (None, row.unit)
        and query.status in (None, row.status)
        and query.over_limit in (None, row.blocked_by_overdraft)
        and query.has_debt in (None, row.debt > 0)
        and (query.utilization_min is None or used >= query.utilization_min)
        and (query.utilization_max is None or used <= query.utilization_max)
        and holds_text(query.search, row.tenant, row.scope)
    )
