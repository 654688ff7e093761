"""The endpoints of tenants."""

from typing import Final

from runcycles.errors import ErrorCode
from runcycles.wire.requests import parse_as
from runcycles_server.governance.operator import encode
from runcycles_server.governance.tenants import commands, lists
from runcycles_server.governance.tenants.bodies import (
    TenantCreate,
    TenantPage,
    TenantQuery,
    TenantUpdate,
    TenantView,
)
from runcycles_server.governance.tenants.views import view
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.reading import actor_of, parsed_query


async def create(service: Service, exchange: Exchange) -> Answer:
    """201 for a new tenant, 200 for the one that was there."""
    request = parse_as(TenantCreate, await exchange.json_body())
    made = await commands.create(service.operator, request, actor_of(exchange))
    return Answer(201 if made.is_new else 200, encode(view(made.record)))


async def get(service: Service, exchange: Exchange) -> Answer:
    """One tenant."""
    found = await commands.get(service.operator, exchange.path_parameter("tenant_id"))
    return Answer(200, encode(view(found)))


async def update(service: Service, exchange: Exchange) -> Answer:
    """Other defaults or another state; to close it closes all it has."""
    request = parse_as(TenantUpdate, await exchange.json_body())
    tenant_id = exchange.path_parameter("tenant_id")
    tenant = await commands.update(service.operator, request, actor_of(exchange), tenant_id)
    return Answer(200, encode(view(tenant)))


async def list_all(service: Service, exchange: Exchange) -> Answer:
    """The tenants that match."""
    query = parsed_query(TenantQuery, exchange)
    return Answer(200, encode(lists.page(await service.operator.store.tenants(), query)))


ROWS: Final = (
    Endpoint(
        operation="createTenant",
        summary="Make a tenant; the same id and name again answers 200 with the one there is",
        method="POST",
        path="/v1/admin/tenants",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=TenantCreate,
        success=TenantView,
        statuses=(201, 200),
        errors=(ErrorCode.DUPLICATE_RESOURCE,),
        handler=create,
    ),
    Endpoint(
        operation="listTenants",
        summary="Tenants that match every given filter",
        method="GET",
        path="/v1/admin/tenants",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        query=TenantQuery,
        success=TenantPage,
        handler=list_all,
    ),
    Endpoint(
        operation="getTenant",
        summary="One tenant",
        method="GET",
        path="/v1/admin/tenants/{tenant_id}",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        success=TenantView,
        errors=(ErrorCode.TENANT_NOT_FOUND,),
        handler=get,
    ),
    Endpoint(
        operation="updateTenant",
        summary="Change a tenant, suspend it, reactivate it, or close it with all it has",
        method="PATCH",
        path="/v1/admin/tenants/{tenant_id}",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=TenantUpdate,
        success=TenantView,
        errors=(ErrorCode.TENANT_NOT_FOUND, ErrorCode.TENANT_CLOSED),
        handler=update,
    ),
)
