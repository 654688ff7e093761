"""The endpoints of action kinds: the registry for everybody, and the operator's own kinds."""

from hashlib import sha256
from http import HTTPStatus
from typing import Final

from runcycles.actions import ActionKind
from runcycles.errors import ErrorCode
from runcycles.wire.requests import parse_as
from runcycles_server.governance.kinds import commands, lists
from runcycles_server.governance.kinds.bodies import (
    DeclaredKinds,
    KindDeclare,
    KindPage,
    KindQuery,
)
from runcycles_server.governance.kinds.views import view
from runcycles_server.governance.operator import encode
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.problems import too_often
from runcycles_server.http.reading import actor_of, parsed_query

_KEPT_BY_CLIENTS: Final = (b"cache-control", b"public, max-age=3600")
"""The registry changes with the server's version alone."""


async def list_registry(service: Service, exchange: Exchange) -> Answer:
    """The kinds of the registry that match."""
    _count(service, exchange)
    found = encode(lists.page(parsed_query(KindQuery, exchange)))
    return _unless_known(service, exchange, found)


async def get(service: Service, exchange: Exchange) -> Answer:
    """One kind of the registry."""
    _count(service, exchange)
    found = encode(commands.registered(exchange.path_parameter("kind")))
    return _unless_known(service, exchange, found)


async def declare(service: Service, exchange: Exchange) -> Answer:
    """201 for a kind that is new, 200 for one that was declared before."""
    request = parse_as(KindDeclare, await exchange.json_body())
    made = await commands.declare(service.operator, request, actor_of(exchange))
    return Answer(201 if made.is_new else 200, encode(view(made.record)))


async def list_declared(service: Service, _exchange: Exchange) -> Answer:
    """Every kind that was declared."""
    found = await service.operator.store.declared_kinds()
    return Answer(200, encode(DeclaredKinds(kinds=tuple(view(kind) for kind in found))))


def _count(service: Service, exchange: Exchange) -> None:
    """Count a question of somebody without a key.

    Raises:
        RateLimitedError: this address has asked too often.
    """
    passers_by, now_ms = service.passers_by, service.operator.store.now_ms()
    if passers_by is not None and not passers_by.admits(exchange.address, now_ms):
        raise too_often(passers_by.wait_ms(exchange.address, now_ms))


def _unless_known(service: Service, exchange: Exchange, body: bytes) -> Answer:
    """The body, or word that what the client has of it is still right, which counts for nothing."""
    tag = f'"{sha256(body).hexdigest()}"'
    headers = ((b"etag", tag.encode()), _KEPT_BY_CLIENTS)
    known = exchange.headers.get(b"if-none-match", b"").decode("latin-1").split(",")
    if any(each.strip().removeprefix("W/") in (tag, "*") for each in known):
        if service.passers_by is not None:
            service.passers_by.give_back(exchange.address)
        return Answer(HTTPStatus.NOT_MODIFIED, b"", headers)
    return Answer(200, body, headers)


ROWS: Final = (
    Endpoint(
        operation="listActionKinds",
        summary="The registry of action kinds, with their risk classes",
        method="GET",
        path="/v1/action-kinds",
        plane=Plane.GOVERNANCE,
        access=Access.PUBLIC,
        permission=None,
        query=KindQuery,
        success=KindPage,
        statuses=(200, HTTPStatus.NOT_MODIFIED),
        errors=(ErrorCode.INVALID_REQUEST, ErrorCode.LIMIT_EXCEEDED),
        handler=list_registry,
    ),
    Endpoint(
        operation="getActionKind",
        summary="One kind of the registry",
        method="GET",
        path="/v1/action-kinds/{kind}",
        plane=Plane.GOVERNANCE,
        access=Access.PUBLIC,
        permission=None,
        success=ActionKind,
        statuses=(200, HTTPStatus.NOT_MODIFIED),
        errors=(ErrorCode.NOT_FOUND, ErrorCode.LIMIT_EXCEEDED),
        handler=get,
    ),
    Endpoint(
        operation="declareActionKind",
        summary="Declare a kind custom.<org>.<operation>, or change what it can do",
        method="POST",
        path="/v1/x-runcycles/action-kinds",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        body=KindDeclare,
        success=ActionKind,
        statuses=(201, 200),
        handler=declare,
    ),
    Endpoint(
        operation="listDeclaredActionKinds",
        summary="Every kind that was declared",
        method="GET",
        path="/v1/x-runcycles/action-kinds",
        plane=Plane.GOVERNANCE,
        access=Access.ADMIN,
        permission=None,
        success=DeclaredKinds,
        handler=list_declared,
    ),
)
