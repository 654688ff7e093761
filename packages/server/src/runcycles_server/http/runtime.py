"""The runtime's endpoints: one kind of handler for questions with a body, one for reads."""

from typing import Any, Final
from urllib.parse import parse_qsl

from runcycles import wire
from runcycles.ops import Op
from runcycles.wire.headers import EXTENSION_VERSION
from runcycles.wire.requests import invalid
from runcycles_server.http.endpoint import Handler, Service
from runcycles_server.http.exchange import Answer, Exchange

_EXTENDED: Final = EXTENSION_VERSION.encode()
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
            extended=exchange.headers.get(b"x-cycles-extensions") == _EXTENDED,
            fingerprint=fingerprint,
        )
        exchange.decided(reply.value)
        return Answer(status, reply.raw)

    return ask


def reads(op_type: type[Op[Any]], status: int) -> Handler:
    """The handler of a question that changes nothing."""

    async def read(service: Service, exchange: Exchange) -> Answer:
        reservation_id = _reservation_id(exchange)
        path = {"reservation_id": reservation_id} if reservation_id else {}
        op: Any = wire.parse_query(op_type, query_of(exchange), **path)
        reply = await service.authority.read(op, tenant=exchange.caller.tenant)
        return Answer(status, reply.raw)

    return read


def query_of(exchange: Exchange) -> dict[str, str]:
    """The query parameters; of one that is given twice the last counts."""
    return dict(parse_qsl(exchange.scope["query_string"].decode("latin-1"), keep_blank_values=True))


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
