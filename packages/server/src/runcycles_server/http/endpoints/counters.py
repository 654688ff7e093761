"""The endpoints of the counters of quotas."""

from typing import Final

from runcycles.errors import ErrorCode
from runcycles.wire.requests import parse_as
from runcycles_server.governance.counters import commands, lists
from runcycles_server.governance.counters.bodies import (
    CounterListQuery,
    CounterPage,
    CounterReset,
    CounterWasReset,
)
from runcycles_server.governance.operator import encode
from runcycles_server.governance.permissions import Permission
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.reading import actor_of, parsed_query, tenant_in_query


async def list_all(service: Service, exchange: Exchange) -> Answer:
    """The counters that match: a tenant's own, or those of the tenant that an admin names."""
    query = parsed_query(CounterListQuery, exchange)
    page = await lists.page(
        service.operator.store,
        query,
        tenant=tenant_in_query(exchange, query.tenant_id),
        scope_filter=exchange.caller.scope_filter,
    )
    return Answer(200, encode(page))


async def reset(service: Service, exchange: Exchange) -> Answer:
    """A counter at nothing."""
    request = parse_as(CounterReset, await exchange.json_body())
    done = await commands.reset(service.operator, request, actor_of(exchange))
    return Answer(200, encode(done))


ROWS: Final = (
    Endpoint(
        operation="listActionQuotaCounters",
        summary="How much of each quota is used, in the windows that count now",
        method="GET",
        path="/v1/admin/action-quota-counters",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.ACTION_QUOTAS_READ,
        query=CounterListQuery,
        success=CounterPage,
        handler=list_all,
    ),
    Endpoint(
        operation="resetActionQuotaCounter",
        summary="Let one counter begin at nothing again",
        method="POST",
        path="/v1/admin/action-quota-counters/reset",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=CounterReset,
        success=CounterWasReset,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.TENANT_NOT_FOUND, ErrorCode.TENANT_CLOSED),
        handler=reset,
    ),
)
