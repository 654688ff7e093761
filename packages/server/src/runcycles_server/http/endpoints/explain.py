"""The endpoint that says why."""

from typing import Final

from runcycles.errors import ErrorCode
from runcycles.ledger.idempotency import DAY_MS
from runcycles_server.decisions.bodies import ExplainQuery, Explanation
from runcycles_server.decisions.explaining import explain
from runcycles_server.governance.operator import encode
from runcycles_server.governance.permissions import Permission
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.problems import refusal
from runcycles_server.http.reading import parsed_query
from runcycles_server.stores.retention import DECISIONS_MS

_KEPT_DAYS: Final = DECISIONS_MS // DAY_MS


async def explain_one(service: Service, exchange: Exchange) -> Answer:
    """The decisions that an id has to do with."""
    wanted = parsed_query(ExplainQuery, exchange).id
    caller = exchange.caller
    found = await explain(
        service.operator.store, wanted, tenant=caller.tenant, scope_filter=caller.scope_filter
    )
    if found is None:
        raise refusal(
            ErrorCode.NOT_FOUND,
            f"No decision is known under {wanted}: give the id of a reservation, of a request or "
            f"of a trace, or an idempotency key. Decisions are kept for {_KEPT_DAYS} days",
        )
    return Answer(200, encode(found))


ROWS: Final = (
    Endpoint(
        operation="explain",
        summary="Why something was allowed or denied, step by step, and what would allow it now",
        method="GET",
        path="/v1/x-runcycles/explain",
        plane=Plane.RUNTIME,
        access=Access.EITHER,
        permission=Permission.RESERVATIONS_LIST,
        query=ExplainQuery,
        success=Explanation,
        errors=(ErrorCode.NOT_FOUND,),
        handler=explain_one,
    ),
)
