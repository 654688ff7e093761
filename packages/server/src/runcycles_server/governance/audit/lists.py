"""The audit log in pages.

It has too many rows to be looked through here: the store filters and sorts it.
"""

from dataclasses import replace
from typing import Final

from runcycles.wire.requests import invalid
from runcycles_server.cursors import Cursor, decoded, fingerprint
from runcycles_server.filters import moment_ms
from runcycles_server.governance.audit.bodies import AuditLogPage, AuditLogQuery
from runcycles_server.governance.audit.views import view
from runcycles_server.governance.paging import MAX_PAGE_SIZE
from runcycles_server.stores.base import Store
from runcycles_server.stores.queries import (
    AUDIT_SORTS,
    NUMERIC_AUDIT_SORTS,
    AuditQuery,
    Window,
)

MAX_LISTED: Final = 25
"""Entries of a parameter that is a list, as the protocol has it."""


async def page(store: Store, asked: AuditLogQuery) -> AuditLogPage:
    """The page of the log that a query asks for.

    Raises:
        InvalidRequestError: naming the parameter.
    """
    bound = fingerprint("audit", replace(asked, cursor=None, limit=0))
    size = min(max(asked.limit, 1), MAX_PAGE_SIZE)
    query = replace(_query_of(asked), limit=size + 1)
    if asked.cursor is not None:
        query = replace(query, after=_last_seen(asked, bound))
    rows = await store.audit(query)
    following = None
    if len(rows) > size:
        last = rows[size - 1]
        following = Cursor(
            bound=bound,
            sort_by=asked.sort_by,
            descending=query.descending,
            after=(AUDIT_SORTS[asked.sort_by](last), last.log_id),
        ).encoded()
    return AuditLogPage(
        logs=tuple(view(row) for row in rows[:size]),
        next_cursor=following,
        has_more=following is not None,
    )


def _query_of(asked: AuditLogQuery) -> AuditQuery:
    return AuditQuery(
        tenant_id=asked.tenant_id,
        key_id=asked.key_id,
        resource_id=asked.resource_id,
        request_id=asked.request_id,
        trace_id=asked.trace_id,
        operations=_listed("operation", asked.operation),
        resource_types=_listed("resource_type", asked.resource_type),
        error_codes=_listed("error_code", asked.error_code),
        except_error_codes=_listed("error_code_exclude", asked.error_code_exclude),
        status=_statuses(asked),
        at=_moments(asked),
        search=(asked.search or "").strip() or None,
        sort_by=asked.sort_by,
        descending=asked.sort_dir == "desc",
    )


def _listed(field: str, text: str | None) -> tuple[str, ...]:
    """The words of a list with commas."""
    words = tuple(word for part in (text or "").split(",") if (word := part.strip()))
    if len(words) > MAX_LISTED:
        raise invalid(field, f"it lists {len(words)} entries; at most {MAX_LISTED} are allowed")
    return words


def _statuses(asked: AuditLogQuery) -> Window:
    lowest, highest = asked.status_min, asked.status_max
    if asked.status is None:
        return _window("status_min", lowest, "status_max", highest)
    if lowest is not None or highest is not None:
        raise invalid("status", "give either one status, or status_min and status_max")
    return Window(lowest=asked.status, highest=asked.status)


def _moments(asked: AuditLogQuery) -> Window:
    lowest = _moment("from", asked.created_from, round_up=True)
    highest = _moment("to", asked.created_to, round_up=False)
    return _window("from", lowest, "to", highest)


def _moment(field: str, text: str | None, *, round_up: bool) -> int | None:
    if text is None:
        return None
    found = moment_ms(text, round_up=round_up)
    if found is None:
        raise invalid(field, f"{text!r} is not a moment with a zone, e.g. 2030-01-31T12:00:00Z")
    return found


def _window(first: str, lowest: int | None, last: str, highest: int | None) -> Window:
    if lowest is not None and highest is not None and lowest > highest:
        raise invalid(first, f"it must not be above {last}")
    return Window(lowest=lowest, highest=highest)


def _last_seen(asked: AuditLogQuery, bound: str) -> tuple[str | int, str]:
    cursor = decoded(asked.cursor or "")
    is_numeric = asked.sort_by in NUMERIC_AUDIT_SORTS
    if cursor is None or cursor.bound != bound or isinstance(cursor.after[0], int) != is_numeric:
        raise invalid("cursor", "it belongs to another list; start again without a cursor")
    return cursor.after
