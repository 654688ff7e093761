"""An ordinary answer leaves in one write; what is not ordinary goes uvicorn's own way."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from runcycles_server.http.whole_answers import offer, taken
from tests.server.http.conftest import Acme
from tests.support.wires import Wire

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


class Transport:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


class Event:
    """What uvicorn waits on for the rest of a body."""

    is_set = False

    def set(self) -> None:
        self.is_set = True


def cycle_of(method: str = "POST", *, keep_alive: bool = True) -> RequestResponseCycle:
    transport: Any = Transport()
    event: Any = Event()
    scope: Any = {"type": "http", "method": method}
    logger: Any = None
    return RequestResponseCycle(
        scope=scope,
        transport=transport,
        flow=FlowControl(transport),
        logger=logger,
        access_logger=logger,
        access_log=False,
        default_headers=[(b"date", b"today")],
        message_event=event,
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )


def send(cycle: RequestResponseCycle, headers: list[tuple[bytes, bytes]]) -> bool:
    offer(cycle)
    scope: Any = cycle.scope
    sender = taken(scope)
    assert sender is not None
    return sender(200, headers, b"{}")


def test_an_ordinary_answer_is_one_write() -> None:
    cycle = cycle_of()
    assert send(cycle, HEADERS)
    transport: Any = cycle.transport
    assert b"".join(transport.written) == (
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: application/json\r\n"
        b"content-length: 2\r\n\r\n{}"
    )
    assert len(transport.written) == 1
    assert cycle.response_started
    assert cycle.response_complete


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_request_is_forgotten_at_once_where_the_way_to_answer_it_was_taken(
    is_taken: bool,
) -> None:
    cycle = cycle_of()
    offer(cycle)
    scope: Any = cycle.scope
    if is_taken:
        assert taken(scope) is not None
    left = weakref.ref(cycle)
    gc.disable()
    try:
        del cycle, scope
        assert (left() is None) is is_taken  # else it waits for the garbage collector
    finally:
        gc.enable()


def gone(cycle: RequestResponseCycle) -> None:
    cycle.disconnected = True


def full(cycle: RequestResponseCycle) -> None:
    cycle.flow.write_paused = True


@pytest.mark.parametrize("trouble", [gone, full])
def test_nothing_is_written_to_a_client_that_is_gone_or_does_not_read(
    trouble: Callable[[RequestResponseCycle], None],
) -> None:
    cycle = cycle_of()
    trouble(cycle)
    assert not send(cycle, HEADERS)
    transport: Any = cycle.transport
    assert not transport.written
    assert not cycle.response_started


@pytest.mark.parametrize("cycle", [cycle_of("HEAD"), cycle_of(keep_alive=False)])
def test_what_has_no_body_or_closes_goes_the_ordinary_way(cycle: RequestResponseCycle) -> None:
    assert not send(cycle, HEADERS)


def test_a_header_that_would_end_the_head_is_not_written() -> None:
    cycle = cycle_of()
    assert not send(cycle, [*HEADERS, (b"x-cycles-tenant", b"acme\r\nx-cycles-tenant: other")])
    transport: Any = cycle.transport
    assert not transport.written


def test_where_the_server_offers_nothing_the_application_answers_by_asgi() -> None:
    scope: Scope = {"type": "http"}
    assert taken(scope) is None


def test_requests_on_one_connection_are_answered_in_turn(acme: Acme, wire: Wire) -> None:
    for last in ((), (), ("connection: close",)):
        wire.send(*acme.head("content-length: 2", *last))
        wire.socket.sendall(b"{}")
    assert [status for status, _, _ in wire.answers()] == [400, 400, 400]
