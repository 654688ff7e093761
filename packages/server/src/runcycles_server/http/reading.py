"""What an operator's endpoint reads from a request: the query, and who is acting."""

from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

from runcycles import wire
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.http.exchange import Exchange

Q = TypeVar("Q")


def query_of(exchange: Exchange) -> dict[str, str]:
    """The query parameters; of one that is given twice the last counts."""
    return dict(parse_qsl(exchange.scope["query_string"].decode("latin-1"), keep_blank_values=True))


def parsed_query(query_type: type[Q], exchange: Exchange) -> Q:
    """The query parameters as a query of this type.

    Raises:
        InvalidRequestError: naming the parameter.
    """
    return cast("Q", wire.parse_query(cast("Any", query_type), query_of(exchange)))


def actor_of(exchange: Exchange) -> Actor:
    """Who is acting, and from where, for the audit log."""
    client = exchange.scope.get("client")
    agent = exchange.headers.get(b"user-agent")
    return Actor(
        tenant=exchange.caller.tenant,
        key_id=exchange.caller.key_id,
        source_ip=client[0] if client else None,
        user_agent=None if agent is None else agent.decode("latin-1"),
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
    )
