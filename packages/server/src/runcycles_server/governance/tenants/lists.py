"""Tenants in pages."""

from collections.abc import Callable, Iterable

from runcycles.ledger.state import Tenant
from runcycles_server.cursors import SortValue
from runcycles_server.governance.paging import holds_text, page_of
from runcycles_server.governance.tenants.bodies import TenantPage, TenantQuery
from runcycles_server.governance.tenants.views import profile_of, view


def page(rows: Iterable[Tenant], query: TenantQuery) -> TenantPage:
    """The page of tenants that a query asks for."""
    orders: dict[str, Callable[[Tenant], SortValue]] = {
        "tenant_id": lambda row: row.tenant_id,
        "name": lambda row: profile_of(row).name,
        "status": lambda row: row.status,
        "created_at": lambda row: profile_of(row).created_at_ms,
    }
    rows_here, cursor = page_of(
        [row for row in rows if _holds(query, row)],
        query,
        order=orders[query.sort_by],
        id_of=lambda row: row.tenant_id,
    )
    return TenantPage(
        tenants=tuple(view(row) for row in rows_here),
        next_cursor=cursor,
        has_more=cursor is not None,
    )


def _holds(query: TenantQuery, row: Tenant) -> bool:
    profile = profile_of(row)
    return (
        query.status in (None, row.status)
        and query.parent_tenant_id in (None, profile.parent_tenant_id)
        and query.observe_mode in (None, row.observe_mode)
        and holds_text(query.search, row.tenant_id, profile.name)
    )
