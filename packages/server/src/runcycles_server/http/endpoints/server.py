"""The endpoints about the server itself, for whoever keeps it running."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from runcycles.types import CLOSED
from runcycles_server.governance.operator import encode
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The server is well; anything else is an error answer."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    status: Literal["ok"] = "ok"


async def is_alive(_service: Service, _exchange: Exchange) -> Answer:
    """The process answers."""
    return Answer(200, encode(Health()))


async def is_ready(service: Service, _exchange: Exchange) -> Answer:
    """The store takes writes; where it does not, that is a 500 like every failure of the store."""
    await service.operator.store.check()
    return Answer(200, encode(Health()))


ROWS: Final = (
    Endpoint(
        operation="isAlive",
        summary="Whether the process answers",
        method="GET",
        path="/healthz",
        plane=Plane.SERVER,
        access=Access.PUBLIC,
        permission=None,
        success=Health,
        handler=is_alive,
    ),
    Endpoint(
        operation="isReady",
        summary="Whether the store takes writes",
        method="GET",
        path="/readyz",
        plane=Plane.SERVER,
        access=Access.PUBLIC,
        permission=None,
        success=Health,
        handler=is_ready,
    ),
)
