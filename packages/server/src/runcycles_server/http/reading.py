"""What an operator's endpoint and the audit log read from a request."""

from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

from runcycles import wire
from runcycles.errors import Problem
from runcycles.ledger.refusals import outside_filter
from runcycles.scopes import passes_filter
from runcycles.wire.requests import invalid
from runcycles_server.governance.audit.attempts import Attempt
from runcycles_server.governance.audit.deeds import ADMIN, Actor
from runcycles_server.governance.operator import error_of
from runcycles_server.http.exchange import Exchange
from runcycles_server.records import UNAUTHENTICATED

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


def tenant_in_body(exchange: Exchange, named: str | None) -> str:
    """Whose the new resource is: the API key says so, an admin has to.

    Raises:
        InvalidRequestError: the body names a tenant where it must not, or names none.
    """
    if exchange.caller.tenant is not None and named is not None:
        raise invalid("tenant_id", "leave it out: the API key says whose it is")
    return tenant_in_query(exchange, named)


def tenant_in_query(exchange: Exchange, named: str | None) -> str:
    """Whose resources are meant: those of the API key's tenant, else of the one an admin names.

    Raises:
        InvalidRequestError: it is an admin, and names none.
    """
    tenant = exchange.caller.tenant or named
    if tenant is None:
        raise invalid("tenant_id", "the admin key must say whose it is")
    return tenant


def check_scope(exchange: Exchange, scope: str) -> None:
    """Make sure that the caller's key is for this canonical scope.

    Raises:
        ForbiddenError: its scope filter names no segment of it.
    """
    scope_filter = exchange.caller.scope_filter
    if not passes_filter(scope, scope_filter):
        raise error_of(outside_filter(scope, scope_filter))


def actor_of(exchange: Exchange) -> Actor:
    """Who is acting, and from where, for the audit log."""
    return exchange.actor()


def attempt_of(exchange: Exchange, problem: Problem, exception: Exception | None = None) -> Attempt:
    """The request as one that failed, for the audit log."""
    caller = exchange.caller
    return Attempt(
        tenant_id=ADMIN if caller.is_operator else caller.tenant or UNAUTHENTICATED,
        actor=exchange.actor(),
        method=exchange.scope["method"],
        path=exchange.path,
        template=exchange.template,
        problem=problem,
        exception=exception,
    )
