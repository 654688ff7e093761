"""The endpoints of API keys."""

from typing import Final

from runcycles.errors import ErrorCode
from runcycles.wire.requests import parse_as
from runcycles_server.governance.keys import commands, lists
from runcycles_server.governance.keys.bodies import (
    KeyCreate,
    KeyCreated,
    KeyPage,
    KeyQuery,
    KeyRevocation,
    KeyUpdate,
    KeyView,
)
from runcycles_server.governance.operator import encode
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.reading import actor_of, parsed_query


async def create(service: Service, exchange: Exchange) -> Answer:
    """A new API key; this answer alone shows its secret."""
    request = parse_as(KeyCreate, await exchange.json_body())
    return Answer(201, encode(await commands.create(service.operator, request, actor_of(exchange))))


async def list_all(service: Service, exchange: Exchange) -> Answer:
    """The keys that match."""
    query, store = parsed_query(KeyQuery, exchange), service.operator.store
    keys = await store.api_keys(query.tenant_id)
    return Answer(200, encode(lists.page(keys, query, now_ms=store.now_ms())))


async def update(service: Service, exchange: Exchange) -> Answer:
    """A key, changed."""
    request = parse_as(KeyUpdate, await exchange.json_body())
    key_id = exchange.path_parameter("key_id")
    changed = await commands.update(service.operator, key_id, request, actor_of(exchange))
    return Answer(200, encode(changed))


async def revoke(service: Service, exchange: Exchange) -> Answer:
    """A key, revoked."""
    why = parsed_query(KeyRevocation, exchange)
    key_id = exchange.path_parameter("key_id")
    revoked = await commands.revoke(service.operator, key_id, why, actor_of(exchange))
    return Answer(200, encode(revoked))


ROWS: Final = (
    Endpoint(
        operation="createApiKey",
        summary="Make an API key; this answer alone shows its secret",
        method="POST",
        path="/v1/admin/api-keys",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=KeyCreate,
        success=KeyCreated,
        statuses=(201,),
        errors=(ErrorCode.TENANT_NOT_FOUND, ErrorCode.TENANT_CLOSED),
        handler=create,
    ),
    Endpoint(
        operation="listApiKeys",
        summary="API keys that match every given filter, of one tenant or of all",
        method="GET",
        path="/v1/admin/api-keys",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        query=KeyQuery,
        success=KeyPage,
        handler=list_all,
    ),
    Endpoint(
        operation="updateApiKey",
        summary="Change what an API key is called and what it may do, from its next request on",
        method="PATCH",
        path="/v1/admin/api-keys/{key_id}",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=KeyUpdate,
        success=KeyView,
        errors=(
            ErrorCode.NOT_FOUND,
            ErrorCode.KEY_REVOKED,
            ErrorCode.KEY_EXPIRED,
            ErrorCode.TENANT_CLOSED,
        ),
        handler=update,
    ),
    Endpoint(
        operation="revokeApiKey",
        summary="Revoke an API key for good; it fails on its next request",
        method="DELETE",
        path="/v1/admin/api-keys/{key_id}",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        query=KeyRevocation,
        success=KeyView,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.KEY_REVOKED, ErrorCode.TENANT_CLOSED),
        handler=revoke,
    ),
)
