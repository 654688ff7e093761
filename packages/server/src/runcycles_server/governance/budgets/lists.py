"""Budgets in pages."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from runcycles.ledger.state import Account
from runcycles.wire.requests import invalid
from runcycles_server.cursors import SortValue
from runcycles_server.governance.budgets.bodies import BudgetPage, BudgetQuery
from runcycles_server.governance.budgets.views import view
from runcycles_server.governance.paging import holds_text, page_of

_PARTS: Final = 10**9
"""Utilisation is compared in billionths, so that a cursor can carry it exactly."""


def page(rows: Iterable[Account], query: BudgetQuery, *, tenant: str | None) -> BudgetPage:
    """The page of budgets that a query asks for; `tenant` is whose they are, None for all."""
    lowest, highest = query.utilization_min, query.utilization_max
    if lowest is not None and highest is not None and lowest > highest:
        raise invalid("utilization_min", "it is above utilization_max")
    orders: dict[str, Callable[[Account], SortValue]] = {
        "tenant_id": lambda row: row.tenant,
        "scope": lambda row: row.scope,
        "unit": lambda row: row.unit,
        "status": lambda row: row.status,
        "commit_overage_policy": lambda row: row.budget.overage_policy or "",
        "utilization": lambda row: row.spent * _PARTS // (row.allocated or 1),
        "debt": lambda row: row.debt,
    }
    rows_here, cursor = page_of(
        [row for row in rows if _holds(query, row)],
        replace(query, tenant_id=tenant),
        order=orders[query.sort_by],
        id_of=lambda row: row.budget.ledger_id,
    )
    return BudgetPage(
        ledgers=tuple(view(row) for row in rows_here),
        next_cursor=cursor,
        has_more=cursor is not None,
    )


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
