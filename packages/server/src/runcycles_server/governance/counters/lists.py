"""Counters in pages. There is one for every run, so the store is asked for a page at a time."""

import json
from dataclasses import replace
from typing import Final

from runcycles.ledger.policies import Counter
from runcycles.scopes import passes_filter
from runcycles.wire.requests import invalid
from runcycles_server.cursors import Cursor, decoded, fingerprint
from runcycles_server.governance.counters.bodies import RISK, CounterListQuery, CounterPage
from runcycles_server.governance.counters.views import view
from runcycles_server.stores.base import Store
from runcycles_server.stores.queries import CounterQuery, place

MAX_PAGE_SIZE: Final = 200
_RATES: Final = "__rate__:"
"""How the counters of rate limits begin, which are no quotas."""


async def page(
    store: Store, query: CounterListQuery, *, tenant: str, scope_filter: tuple[str, ...]
) -> CounterPage:
    """The page of a tenant's counters that a query asks for, in the scopes that a key may see.

    Raises:
        InvalidRequestError: the cursor belongs to another list.
    """
    bound = fingerprint("counters", tenant, replace(query, tenant_id=None, cursor=None, limit=0))
    size = min(max(query.limit, 1), MAX_PAGE_SIZE)
    wanted = _wanted(query, tenant)
    rows: list[Counter] = []
    after = None if query.cursor is None else _place_in(query.cursor, bound)
    while len(rows) <= size:
        found = await store.counters(replace(wanted, after=after))
        rows += [counter for counter in found if passes_filter(counter.scope, scope_filter)]
        if len(found) < wanted.limit:
            break
        after = place(found[-1])
    cursor = _after(rows[size - 1], bound) if len(rows) > size else None
    return CounterPage(
        counters=tuple(view(counter) for counter in rows[:size]),
        next_cursor=cursor,
        has_more=cursor is not None,
    )


def _wanted(query: CounterListQuery, tenant: str) -> CounterQuery:
    every_class = query.action_kind == RISK
    return CounterQuery(
        tenant=tenant,
        scope=query.scope and query.scope.lower(),
        counted=None if every_class else query.action_kind,
        prefix=f"{RISK}:" if every_class else None,
        except_prefix=_RATES,
        window=query.window,
        bucket=query.run_id,
        include_zero=query.include_zero,
        limit=MAX_PAGE_SIZE + 1,
    )


def _after(counter: Counter, bound: str) -> str:
    after = (json.dumps(place(counter)), "")
    return Cursor(bound=bound, sort_by="place", descending=False, after=after).encoded()


def _place_in(text: str, bound: str) -> tuple[str, ...]:
    cursor = decoded(text)
    if cursor is None or cursor.bound != bound:
        raise invalid("cursor", "it belongs to another list; start again without a cursor")
    return tuple(json.loads(str(cursor.after[0])))
