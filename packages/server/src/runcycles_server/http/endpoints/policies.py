"""The endpoints of policies, for the operator and for tenants."""

from typing import Final

from runcycles.errors import ErrorCode
from runcycles.scopes import passes_filter
from runcycles.wire.requests import parse_as
from runcycles_server.governance.operator import encode
from runcycles_server.governance.permissions import Permission
from runcycles_server.governance.policies import commands, lists
from runcycles_server.governance.policies.bodies import (
    PolicyCreate,
    PolicyPage,
    PolicyQuery,
    PolicyUpdate,
    PolicyView,
)
from runcycles_server.governance.policies.views import view
from runcycles_server.governance.scopes import canonical_pattern
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.reading import (
    actor_of,
    check_scope,
    parsed_query,
    tenant_in_body,
    tenant_in_query,
)


async def create(service: Service, exchange: Exchange) -> Answer:
    """A new policy."""
    request = parse_as(PolicyCreate, await exchange.json_body())
    tenant = tenant_in_body(exchange, request.tenant_id)
    check_scope(exchange, canonical_pattern(request.scope_pattern))
    policy = await commands.create(service.operator, request, actor_of(exchange), tenant=tenant)
    return Answer(201, encode(view(policy)))


async def list_all(service: Service, exchange: Exchange) -> Answer:
    """The policies that match: a tenant's own, or those of the tenant that an admin names."""
    query = parsed_query(PolicyQuery, exchange)
    tenant = tenant_in_query(exchange, query.tenant_id)
    policies = [
        policy
        for policy in await commands.policies_of(service.operator, tenant)
        if passes_filter(policy.scope_pattern, exchange.caller.scope_filter)
    ]
    return Answer(200, encode(lists.page(policies, query, tenant=tenant)))


async def update(service: Service, exchange: Exchange) -> Answer:
    """A policy as it is from now on."""
    request = parse_as(PolicyUpdate, await exchange.json_body())
    policy_id = exchange.path_parameter("policy_id")
    policy = await commands.update(
        service.operator,
        policy_id,
        request,
        actor_of(exchange),
        scope_filter=exchange.caller.scope_filter,
    )
    return Answer(200, encode(view(policy)))


ROWS: Final = (
    Endpoint(
        operation="createPolicy",
        summary="Say what the actions of some scopes may be, and how often",
        method="POST",
        path="/v1/admin/policies",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.POLICIES_WRITE,
        body=PolicyCreate,
        success=PolicyView,
        statuses=(201,),
        errors=(
            ErrorCode.TENANT_NOT_FOUND,
            ErrorCode.TENANT_CLOSED,
            ErrorCode.DUPLICATE_RESOURCE,
        ),
        handler=create,
    ),
    Endpoint(
        operation="listPolicies",
        summary="Policies of a tenant that match every given filter",
        method="GET",
        path="/v1/admin/policies",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.POLICIES_READ,
        query=PolicyQuery,
        success=PolicyPage,
        handler=list_all,
    ),
    Endpoint(
        operation="updatePolicy",
        summary="Change a policy; a list that is given replaces the whole list",
        method="PATCH",
        path="/v1/admin/policies/{policy_id}",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=Permission.POLICIES_WRITE,
        body=PolicyUpdate,
        success=PolicyView,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.TENANT_CLOSED, ErrorCode.DUPLICATE_RESOURCE),
        handler=update,
    ),
)
