"""The endpoints of API keys."""

from typing import Final

from runcycles.errors import ErrorCode
from runcycles.wire.requests import parse_as
from runcycles_server.governance.keys import commands
from runcycles_server.governance.keys.bodies import KeyCreate, KeyCreated
from runcycles_server.governance.operator import encode
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.reading import actor_of


async def create(service: Service, exchange: Exchange) -> Answer:
    """A new API key; this answer alone shows its secret."""
    request = parse_as(KeyCreate, await exchange.json_body())
    return Answer(201, encode(await commands.create(service.operator, request, actor_of(exchange))))


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
)
