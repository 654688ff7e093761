"""The endpoints about the server itself, for whoever keeps it running."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from runcycles.errors import ErrorCode
from runcycles.types import CLOSED
from runcycles_server.governance.operator import encode
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.metrics import MEDIA_TYPE
from runcycles_server.http.problems import unknown_path


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


async def show_metrics(service: Service, exchange: Exchange) -> Answer:
    """What the server counts about itself, if it was started to show it."""
    if service.metrics is None:
        raise unknown_path(exchange.path)
    text = await service.metrics.text()
    return Answer(200, text, media_type=(b"content-type", MEDIA_TYPE.encode()))


ROWS: Final = (
    Endpoint(
        operation="getMetrics",
        summary="What the server counts about itself, for Prometheus; where it was asked to",
        method="GET",
        path="/metrics",
        plane=Plane.SERVER,
        access=Access.PUBLIC,
        permission=None,
        media_type=MEDIA_TYPE,
        errors=(ErrorCode.NOT_FOUND, ErrorCode.LIMIT_EXCEEDED),
        handler=show_metrics,
    ),
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
