"""The registry of kinds in pages."""

from typing import Final

from runcycles.actions import ACTION_KINDS, REGISTRY_VERSION
from runcycles_server.governance.kinds.bodies import KindPage, KindQuery
from runcycles_server.governance.paging import page_of

_NUMBERS: Final = {kind: number for number, kind in enumerate(ACTION_KINDS)}


def page(query: KindQuery) -> KindPage:
    """The page of the registry that a query asks for."""
    rows, cursor = page_of(
        [
            found
            for found in ACTION_KINDS.values()
            if query.risk_class in (None, found.risk_class)
            and (query.deprecated or not found.deprecated)
        ],
        query,
        order=lambda found: _NUMBERS[found.kind],
        id_of=lambda found: found.kind,
    )
    return KindPage(
        version=REGISTRY_VERSION,
        kinds=tuple(rows),
        next_cursor=cursor,
        has_more=cursor is not None,
    )
