"""The endpoints about keys as such: what a secret opens, and what one's own key may do."""

from typing import Final

from runcycles.wire.requests import parse_as
from runcycles_server.governance.keys import commands
from runcycles_server.governance.keys.bodies import Introspection, KeyAnswer, KeyQuestion
from runcycles_server.governance.keys.capabilities import EVERYTHING, capabilities_of
from runcycles_server.governance.operator import encode
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange


async def validate(service: Service, exchange: Exchange) -> Answer:
    """What a secret opens; one that opens nothing is an answer too."""
    question = parse_as(KeyQuestion, await exchange.json_body())
    return Answer(200, encode(await commands.validate(service.operator, question)))


async def introspect(_service: Service, exchange: Exchange) -> Answer:
    """Who is asking. Whoever got here has a key that is good."""
    caller = exchange.caller
    if caller.tenant is None:
        found = Introspection(auth_type="admin", permissions=("*",), capabilities=EVERYTHING)
    else:
        found = Introspection(
            auth_type="tenant",
            permissions=caller.permissions,
            capabilities=capabilities_of(caller.permissions),
            tenant_id=caller.tenant,
            scope_filter=caller.scope_filter or None,
        )
    return Answer(200, encode(found))


ROWS: Final = (
    Endpoint(
        operation="validateApiKey",
        summary="Whether a secret opens anything now, and what; 200 either way",
        method="POST",
        path="/v1/auth/validate",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=KeyQuestion,
        success=KeyAnswer,
        handler=validate,
    ),
    Endpoint(
        operation="introspectAuth",
        summary="Whose key this is and what it may do",
        method="GET",
        path="/v1/auth/introspect",
        plane=Plane.GOVERNANCE,
        access=Access.EITHER,
        permission=None,
        success=Introspection,
        handler=introspect,
    ),
)
