"""Lists for operators, cut into pages.

What a page holds follows from the query alone, and a cursor works only with the query it was made
for. The rows are few enough to be looked through.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from runcycles.wire.requests import invalid
from runcycles_server.cursors import Cursor, SortValue, decoded, fingerprint

R = TypeVar("R")

MAX_PAGE_SIZE: Final = 100


def holds_text(search: str | None, *texts: str) -> bool:
    """Whether one of the texts holds what is searched for; nothing searched for is in all."""
    wanted = (search or "").strip().lower()
    return any(wanted in text.lower() for text in texts)


def page_of(
    rows: list[R],
    query: Any,
    *,
    order: Callable[[R], SortValue],
    id_of: Callable[[R], str],
) -> tuple[list[R], str | None]:
    """One page, and the cursor of the next. Ties are broken by id, ascending either way.

    Raises:
        InvalidRequestError: the cursor belongs to another list.
    """
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
