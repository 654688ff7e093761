"""The runtime's endpoints: one kind of handler for questions with a body, one for reads."""

from dataclasses import replace
from typing import Any, Final, cast

from runcycles import wire
from runcycles.errors import ErrorCode
from runcycles.ops import (
    Balances,
    Commit,
    Decide,
    Extend,
    GetReservation,
    ListReservations,
    Op,
    Record,
    Release,
    Reserve,
)
from runcycles.scopes import LEVELS
from runcycles.wire.headers import EXTENSION_VERSION, OBSERVED
from runcycles.wire.replies import REPLY_BODIES
from runcycles.wire.requests import invalid
from runcycles_server.governance.budgets import commands, lists
from runcycles_server.governance.budgets.bodies import BalanceQuery, BudgetBalancePage
from runcycles_server.governance.operator import encode
from runcycles_server.governance.permissions import Permission
from runcycles_server.http.endpoint import Access, Endpoint, Handler, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.http.reading import parsed_query, query_of

_EXTENDED: Final = EXTENSION_VERSION.encode()
_OBSERVED: Final = ((OBSERVED.lower().encode(), b"true"),)
_MAX_ID_LENGTH: Final = 128


def asks(op_type: type[Op[Any]], status: int) -> Handler:
    """The handler of a question that goes through the ledger."""

    async def ask(service: Service, exchange: Exchange) -> Answer:
        reservation_id = _reservation_id(exchange)
        body = await exchange.json_body()
        asked: tuple[Any, bytes] = wire.read_body(op_type, body, reservation_id)
        op, fingerprint = asked
        _check_header_key(exchange, op.idempotency_key)
        reply = await service.authority.ask(
            op,
            tenant=exchange.caller.tenant,
            scope_filter=exchange.caller.scope_filter,
            extended=exchange.headers.get(b"x-cycles-extensions") == _EXTENDED,
            fingerprint=fingerprint,
            asker=exchange,
        )
        exchange.decided(reply.value)
        return Answer(status, reply.raw, _OBSERVED if reply.observed else ())

    return ask


def reads(op_type: type[Op[Any]], status: int) -> Handler:
    """The handler of a question that changes nothing."""

    async def read(service: Service, exchange: Exchange) -> Answer:
        reservation_id = _reservation_id(exchange)
        path = {"reservation_id": reservation_id} if reservation_id else {}
        op: Any = wire.parse_query(op_type, query_of(exchange), **path)
        caller = exchange.caller
        reply = await service.authority.read(
            op, tenant=caller.tenant, scope_filter=caller.scope_filter
        )
        return Answer(status, reply.raw)

    return read


_of_a_subject: Final = reads(Balances, 200)


async def balances(service: Service, exchange: Exchange) -> Answer:
    """What budgets have left. The protocol has this twice on one path, in two forms.

    Whoever names a subject asks the runtime; whoever names none gets the governance form.
    """
    given = query_of(exchange)
    if any(given.get(level, "").strip() for level in LEVELS):
        return await _of_a_subject(service, exchange)
    query, caller = parsed_query(BalanceQuery, exchange), exchange.caller
    tenant = cast("str", caller.tenant)
    accounts = await commands.visible(service.operator, tenant, caller.scope_filter)
    return Answer(200, encode(lists.balances(accounts, query, tenant=tenant)))


def _reservation_id(exchange: Exchange) -> str:
    """The reservation that the path names; empty where it names none."""
    reservation_id = exchange.path_parameter("reservation_id")
    if len(reservation_id) > _MAX_ID_LENGTH:
        raise invalid("reservation_id", f"it has more than {_MAX_ID_LENGTH} characters")
    exchange.reservation_id = reservation_id or None
    return reservation_id


def _check_header_key(exchange: Exchange, idempotency_key: str) -> None:
    given = exchange.headers.get(b"x-idempotency-key")
    if given is not None and given != idempotency_key.encode():
        raise invalid("", "X-Idempotency-Key header does not match idempotency_key in request body")


_OF_A_BUDGET: Final = (
    ErrorCode.UNIT_MISMATCH,
    ErrorCode.NOT_FOUND,
    ErrorCode.BUDGET_EXCEEDED,
    ErrorCode.BUDGET_FROZEN,
    ErrorCode.BUDGET_CLOSED,
    ErrorCode.OVERDRAFT_LIMIT_EXCEEDED,
    ErrorCode.TENANT_CLOSED,
    ErrorCode.IDEMPOTENCY_MISMATCH,
)
_OF_A_RESERVATION: Final = (
    ErrorCode.NOT_FOUND,
    ErrorCode.TENANT_CLOSED,
    ErrorCode.RESERVATION_FINALIZED,
    ErrorCode.RESERVATION_EXPIRED,
    ErrorCode.IDEMPOTENCY_MISMATCH,
)


def _runtime(
    op: type[Op[Any]],
    operation: str,
    summary: str,
    permission: Permission,
    *errors: ErrorCode,
    access: Access = Access.TENANT,
) -> Endpoint:
    """A row of the runtime: method, path, bodies and status are those of the wire's own table."""
    on_wire = wire.ENDPOINTS[op]
    return Endpoint(
        operation=operation,
        summary=summary,
        method=on_wire.method,
        path=on_wire.path,
        plane=Plane.RUNTIME,
        access=access,
        permission=permission,
        body=on_wire.body,
        query=None if on_wire.body else op,
        success=REPLY_BODIES[op],
        statuses=(on_wire.status,),
        errors=errors,
        handler=(asks if on_wire.body else reads)(op, on_wire.status),
    )


ROWS: Final[tuple[Endpoint, ...]] = (
    _runtime(
        Reserve,
        "createReservation",
        "May this happen, and hold the estimate if so",
        Permission.RESERVATIONS_CREATE,
        *_OF_A_BUDGET,
        ErrorCode.DEBT_OUTSTANDING,
        ErrorCode.ACTION_KIND_DENIED,
        ErrorCode.ACTION_KIND_NOT_ALLOWED,
        ErrorCode.ACTION_QUOTA_EXCEEDED,
        ErrorCode.LIMIT_EXCEEDED,
    ),
    _runtime(
        Commit,
        "commitReservation",
        "It happened: settle the reservation with what was used",
        Permission.RESERVATIONS_COMMIT,
        *_OF_A_RESERVATION,
        ErrorCode.UNIT_MISMATCH,
        ErrorCode.BUDGET_EXCEEDED,
        ErrorCode.OVERDRAFT_LIMIT_EXCEEDED,
        ErrorCode.LIMIT_EXCEEDED,
    ),
    _runtime(
        Release,
        "releaseReservation",
        "It did not happen: give the whole estimate back",
        Permission.RESERVATIONS_RELEASE,
        *_OF_A_RESERVATION,
        access=Access.EITHER,
    ),
    _runtime(
        Extend,
        "extendReservation",
        "It takes longer: keep the reservation alive",
        Permission.RESERVATIONS_EXTEND,
        *_OF_A_RESERVATION,
        ErrorCode.MAX_EXTENSIONS_EXCEEDED,
    ),
    _runtime(
        Decide,
        "decide",
        "Would this be allowed now; nothing is held",
        Permission.RESERVATIONS_CREATE,
        ErrorCode.UNIT_MISMATCH,
        ErrorCode.IDEMPOTENCY_MISMATCH,
    ),
    _runtime(
        Record,
        "createEvent",
        "Book spend that had no reservation",
        Permission.RESERVATIONS_CREATE,
        *_OF_A_BUDGET,
    ),
    replace(
        _runtime(
            Balances,
            "getBalances",
            "What the matching budgets have left; without a subject, in the governance form",
            Permission.BALANCES_READ,
        ),
        handler=balances,
        other_query=BalanceQuery,
        other_success=BudgetBalancePage,
    ),
    _runtime(
        ListReservations,
        "listReservations",
        "Reservations that match every given filter",
        Permission.RESERVATIONS_LIST,
        access=Access.EITHER,
    ),
    _runtime(
        GetReservation,
        "getReservation",
        "One reservation",
        Permission.RESERVATIONS_LIST,
        ErrorCode.NOT_FOUND,
        ErrorCode.RESERVATION_EXPIRED,
        access=Access.EITHER,
    ),
)
