"""The endpoints of emergency stops; the protocol has none, so their place is our own."""

from typing import Final

from runcycles.errors import ErrorCode
from runcycles.wire.requests import parse_as
from runcycles_server.governance.operator import encode
from runcycles_server.governance.stops import commands
from runcycles_server.governance.stops.bodies import StopCreate, StopList, StopView
from runcycles_server.governance.stops.views import view
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.reading import actor_of


async def stop(service: Service, exchange: Exchange) -> Answer:
    """A new stop."""
    request = parse_as(StopCreate, await exchange.json_body())
    made = await commands.stop(service.operator, request, actor_of(exchange))
    return Answer(201, encode(view(made)))


async def list_all(service: Service, _exchange: Exchange) -> Answer:
    """Every stop that holds."""
    held = await commands.stops_now(service.operator)
    return Answer(200, encode(StopList(stops=tuple(view(stop) for stop in held))))


async def lift(service: Service, exchange: Exchange) -> Answer:
    """The stop that held until now."""
    stop_id = exchange.path_parameter("stop_id")
    lifted = await commands.lift(service.operator, stop_id, actor_of(exchange))
    return Answer(200, encode(view(lifted)))


ROWS: Final = (
    Endpoint(
        operation="stop",
        summary="Let nothing new begin: of everybody, a tenant or a scope and all below it",
        method="POST",
        path="/v1/x-runcycles/stops",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=StopCreate,
        success=StopView,
        statuses=(201,),
        errors=(ErrorCode.TENANT_NOT_FOUND, ErrorCode.DUPLICATE_RESOURCE),
        handler=stop,
    ),
    Endpoint(
        operation="listStops",
        summary="Every stop that holds now",
        method="GET",
        path="/v1/x-runcycles/stops",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        success=StopList,
        handler=list_all,
    ),
    Endpoint(
        operation="lift",
        summary="Let go on what a stop has stopped",
        method="DELETE",
        path="/v1/x-runcycles/stops/{stop_id}",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        success=StopView,
        errors=(ErrorCode.NOT_FOUND,),
        handler=lift,
    ),
)
