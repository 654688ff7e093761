"""Lists for operators: filter, order, cut into pages.

Tenants and budgets are few enough to be looked through; what a page holds follows from the query
alone, and a cursor works only with the query it was made for.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, TypeVar

from runcycles.ledger.state import Account, Tenant
from runcycles.wire.requests import invalid
from runcycles_server.cursors import Cursor, SortValue, decoded, fingerprint
from runcycles_server.governance import budgets as budget_views
from runcycles_server.governance import tenants as tenant_views
from runcycles_server.governance.bodies import (
    BudgetPage,
    BudgetQuery,
    TenantPage,
    TenantQuery,
)

R = TypeVar("R")

MAX_PAGE_SIZE: Final = 100
_PARTS: Final = 10**9
"""Utilisation is compared in billionths, so that a cursor can carry it exactly."""


def tenants(rows: Iterable[Tenant], query: TenantQuery) -> TenantPage:
    """The page of tenants that a query asks for."""
    orders: dict[str, Callable[[Tenant], SortValue]] = {
        "tenant_id": lambda row: row.tenant_id,
        "name": lambda row: tenant_views.profile_of(row).name,
        "status": lambda row: row.status,
        "created_at": lambda row: tenant_views.profile_of(row).created_at_ms,
    }
    page, cursor = _page(
        [row for row in rows if _holds_tenant(query, row)],
        query,
        order=orders[query.sort_by],
        id_of=lambda row: row.tenant_id,
    )
    return TenantPage(
        tenants=tuple(tenant_views.view(row) for row in page),
        next_cursor=cursor,
        has_more=cursor is not None,
    )


def budgets(rows: Iterable[Account], query: BudgetQuery, *, tenant: str | None) -> BudgetPage:
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
    page, cursor = _page(
        [row for row in rows if _holds_budget(query, row)],
        replace(query, tenant_id=tenant),
        order=orders[query.sort_by],
        id_of=lambda row: row.budget.ledger_id,
    )
    return BudgetPage(
        ledgers=tuple(budget_views.view(row) for row in page),
        next_cursor=cursor,
        has_more=cursor is not None,
    )


def _holds_tenant(query: TenantQuery, row: Tenant) -> bool:
    profile = tenant_views.profile_of(row)
    return (
        query.status in (None, row.status)
        and query.parent_tenant_id in (None, profile.parent_tenant_id)
        and _found(query.search, row.tenant_id, profile.name)
    )


def _holds_budget(query: BudgetQuery, row: Account) -> bool:
    used = row.spent / row.allocated if row.allocated else 0
    return (
        row.scope.startswith((query.scope_prefix or "").lower())
        and query.unit in (None, row.unit)
        and query.status in (None, row.status)
        and query.over_limit in (None, row.blocked_by_overdraft)
        and query.has_debt in (None, row.debt > 0)
        and (query.utilization_min is None or used >= query.utilization_min)
        and (query.utilization_max is None or used <= query.utilization_max)
        and _found(query.search, row.tenant, row.scope)
    )


def _found(search: str | None, *texts: str) -> bool:
    wanted = (search or "").strip().lower()
    return any(wanted in text.lower() for text in texts)


def _page(
    rows: list[R],
    query: Any,
    *,
    order: Callable[[R], SortValue],
    id_of: Callable[[R], str],
) -> tuple[list[R], str | None]:
    """One page, and the cursor of the next. Ties are broken by id, ascending either way."""
    descending = query.sort_dir == "desc"
    bound = fingerprint(type(query).__name__, replace(query, cursor=None, limit=0))
    rows.sort(key=id_of)
    rows.sort(key=order, reverse=descending)
    if query.cursor is not None:
        last = _last_seen(query.cursor, bound)
        rows = [row for row in rows if _follows((order(row), id_of(row)), last, descending)]
    size = min(max(query.limit, 1), MAX_PAGE_SIZE)
    page = rows[:size]
    if len(rows) <= size:
        return page, None
    after = (order(page[-1]), id_of(page[-1]))
    cursor = Cursor(bound=bound, sort_by=query.sort_by, descending=descending, after=after)
    return page, cursor.encoded()


def _last_seen(text: str, bound: str) -> tuple[SortValue, str]:
    cursor = decoded(text)
    if cursor is None or cursor.bound != bound:
        raise invalid("cursor", "it belongs to another list; start again without a cursor")
    return cursor.after


def _follows(row: tuple[SortValue, str], last: tuple[SortValue, str], descending: bool) -> bool:
    """Whether a row comes after the last one of the previous page."""
    match row[0], last[0]:
        case (int() as own, int() as seen) if own != seen:
            return (own < seen) is descending
        case (str() as own, str() as seen) if own != seen:
            return (own < seen) is descending
        case _:
            return row[1] > last[1]
