"""The table of endpoints: the whole HTTP surface, one row each, the busiest paths first.

Whose key and which permission an endpoint wants are columns. An endpoint that is not in this table
does not exist, and one that is in it cannot be reached without passing them.
"""

from typing import Final

from runcycles_server.http import openapi
from runcycles_server.http.endpoint import Access, Endpoint, Plane
from runcycles_server.http.endpoints import (
    audit,
    auth,
    budgets,
    counters,
    explain,
    keys,
    kinds,
    policies,
    runtime,
    server,
    stops,
    tenants,
)

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *runtime.ROWS,
    *tenants.ROWS,
    *keys.ROWS,
    *auth.ROWS,
    *budgets.ROWS,
    *policies.ROWS,
    *stops.ROWS,
    *kinds.ROWS,
    *counters.ROWS,
    *audit.ROWS,
    *explain.ROWS,
    *server.ROWS,
    Endpoint(
        operation="describe",
        summary="This document",
        method="GET",
        path="/openapi.json",
        plane=Plane.SERVER,
        access=Access.PUBLIC,
        permission=None,
        handler=openapi.describes(lambda: ENDPOINTS),
    ),
)
