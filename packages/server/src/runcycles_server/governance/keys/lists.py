"""API keys in pages."""

from collections.abc import Callable, Iterable

from runcycles_server.cursors import SortValue
from runcycles_server.governance.keys.bodies import KeyPage, KeyQuery
from runcycles_server.governance.keys.validity import status_of
from runcycles_server.governance.keys.views import view
from runcycles_server.governance.paging import holds_text, page_of
from runcycles_server.records import ApiKey


def page(rows: Iterable[ApiKey], query: KeyQuery, *, now_ms: int) -> KeyPage:
    """The page of keys that a query asks for, with the status each has at this moment."""
    orders: dict[str, Callable[[ApiKey], SortValue]] = {
        "key_id": lambda row: row.key_id,
        "name": lambda row: row.name,
        "tenant_id": lambda row: row.tenant_id,
        "status": lambda row: status_of(row, now_ms),
        "created_at": lambda row: row.created_at_ms,
        "expires_at": lambda row: row.expires_at_ms,
    }
    rows_here, cursor = page_of(
        [row for row in rows if _holds(query, row, now_ms)],
        query,
        order=orders[query.sort_by],
        id_of=lambda row: row.key_id,
    )
    return KeyPage(
        keys=tuple(view(row, now_ms) for row in rows_here),
        next_cursor=cursor,
        has_more=cursor is not None,
    )


def _holds(query: KeyQuery, row: ApiKey, now_ms: int) -> bool:
    return (
        query.tenant_id in (None, row.tenant_id)
        and query.status in (None, status_of(row, now_ms))
        and holds_text(query.search, row.key_id, row.name)
    )
