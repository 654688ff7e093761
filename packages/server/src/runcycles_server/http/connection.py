"""One client's connection, with bounds on what it may send, and on how long it may take.

uvicorn parses HTTP; it sets no limit to the size of a request's head, to the time that a request
may take to arrive, to the requests that are sent ahead, nor to how long an answer lies unread.
Whatever is refused before there is a request is refused in the protocol's own error envelope.
"""

import asyncio
from itertools import chain
from math import inf
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from runcycles import wire
from runcycles.errors import CyclesProtocolError
from runcycles.ids import random_hex
from runcycles_server.http import whole_answers
from runcycles_server.http.bodies import ORDINARY_BYTES, TURNED_AWAY, Bodies
from runcycles_server.http.problems import (
    head_too_large,
    not_http,
    retry_after,
    too_many_connections,
)

MAX_HEAD_BYTES: Final = 32 * 1024
"""Request line and headers together; the protocol's own need about one KiB."""
MAX_HEAD_S: Final = 10.0
"""How long a head may take to arrive, the first one from when the client connected."""
MAX_BODY_S: Final = 60.0
"""How long a body may take, whatever its pace."""
MIN_BODY_PACE: Final = 1024
"""Bytes a second that a body has to bring, once `MAX_HEAD_S` have passed."""
MAX_SENT_AHEAD: Final = 64
"""Requests that may wait behind the one that is being answered."""
MAX_UNREAD_S: Final = 60.0
"""How long answers may wait for a client that does not read them."""
MAX_CLOSING_S: Final = 10.0
"""How long a connection that is being closed may take to deliver what was written."""
MAX_CONNECTIONS: Final = 4096
"""A hundred times what keeps the disk busy; each costs some 10 KB."""
SURPLUS: Final = 64
"""Connections beyond those that are at least told to come back."""
KEEP_ALIVE_S: Final = 75
"""Idle connections are cheap; clients that pause between calls should not have to reconnect."""


class _TooMuchError(Exception):
    """Stops the parser in the middle of a piece; what was refused is known already."""


class Connection(HttpToolsProtocol):
    """One connection and the requests that come over it.

    Beyond `most` connections a client is told to come back, and beyond `SURPLUS` more it is not
    even told.
    """

    _refusal: CyclesProtocolError | None = None
    _is_surplus = False
    _overdue_at = inf
    _in_head = False
    _head_bytes = 0
    _piece_bytes = 0
    _piece_ended_one = False
    _body_since = 0.0
    _body_bytes = 0
    _kept_bytes = 0
    _counted_bytes = 0
    _unread_since = inf
    _closing_since = inf

    def __init__(
        self, *arguments: Any, bodies: Bodies, most: int = MAX_CONNECTIONS, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self.bodies = bodies
        self._most = most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there; its first request is awaited from now on."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._overdue_at = self.loop.time() + MAX_HEAD_S
        self._is_surplus = len(self.connections) > self._most
        if len(self.connections) > self._most + SURPLUS:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; nothing keeps what it sent, nor this object."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        self._keep(0)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request arrived."""
        if self._is_surplus:
            self._refuse(too_many_connections())
            return
        self._piece_bytes, self._piece_ended_one = len(data), False
        super().data_received(data)
        if self._in_head:
            self._head_bytes += self._piece_bytes
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(head_too_large(MAX_HEAD_BYTES))

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MAX_SENT_AHEAD:
            raise _TooMuchError
        super().on_message_begin()
        self._in_head = True
        # how much of a piece that ended another request belongs to this one is not known yet
        self._head_bytes = -self._piece_bytes if self._piece_ended_one else 0
        self._overdue_at = self.loop.time() + MAX_HEAD_S

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header arrived; what comes after a body is none of the protocol's."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A request's head is complete; the application takes over."""
        self._in_head = False
        if len(self.url) + sum(map(len, chain.from_iterable(self.headers))) > MAX_HEAD_BYTES:
            self._refusal = head_too_large(MAX_HEAD_BYTES)
            raise _TooMuchError
        self._body_since, self._body_bytes = self.loop.time(), 0
        self._overdue_at = self._body_since + MAX_HEAD_S
        super().on_headers_complete()
        whole_answers.offer(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Some of a request's body arrived, and earned it more time."""
        self._body_bytes += len(body)
        earned_s = min(MAX_HEAD_S + self._body_bytes / MIN_BODY_PACE, MAX_BODY_S)
        self._overdue_at = self._body_since + earned_s
        if self.cycle.response_complete:
            return  # nobody reads it any more
        kept = self._kept_bytes + len(body)
        if kept > ORDINARY_BYTES and not self._keep(kept):
            scope: Any = self.scope
            scope[TURNED_AWAY] = True
            self.cycle.message_event.set()  # for whoever waits for more of it
            return
        self._kept_bytes = kept
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete; the client owes nothing until it is answered."""
        self._piece_ended_one = True
        self._overdue_at = inf
        if self.cycle.response_complete:
            self._overdue_at = self.loop.time() + KEEP_ALIVE_S
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered; what was sent ahead comes next, and only then more is read."""
        has_more = bool(self.pipeline)
        self._kept_bytes = sum(len(cycle.body) for cycle, _ in self.pipeline) if has_more else 0
        if self._counted_bytes:
            self._keep(self._kept_bytes)
        super().on_response_complete()
        if has_more:
            self.flow.pause_reading()
        elif self._overdue_at == inf:
            self._overdue_at = self.loop.time() + KEEP_ALIVE_S

    def pause_writing(self) -> None:
        """The client leaves too much unread."""
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        """The client reads on."""
        super().resume_writing()
        self._unread_since = inf

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or what was found to be too much of it."""
        self._refuse(self._refusal or not_http())

    def drop_if_overdue(self, now: float) -> None:
        """Hang up on a client that keeps us waiting, and forget one that does not even hang up."""
        if self.transport.is_closing():
            self._closing_since = min(self._closing_since, now)
            if now - self._closing_since > MAX_CLOSING_S:
                self.transport.abort()
        elif now - self._unread_since > MAX_UNREAD_S:
            self.transport.abort()
        elif now > self._overdue_at:
            self.transport.close()

    def _keep(self, size: int) -> bool:
        """Count what is kept from now on of what is not answered yet, if there is room for it."""
        beyond = max(0, size - ORDINARY_BYTES)
        if not self.bodies.add(beyond - self._counted_bytes):
            return False
        self._kept_bytes, self._counted_bytes = size, beyond
        return True

    def _refuse(self, refusal: CyclesProtocolError) -> None:
        if self.transport.is_closing():
            return
        before = cast("RequestResponseCycle | None", self.cycle)
        if before is not None and not (before.response_complete or before.more_body):
            before.keep_alive = False  # a whole request came before this: answer it, then close
            return
        if not self.pipeline:  # an answer now would be taken for that to an earlier request
            self._write(refusal)
        self.transport.close()

    def _write(self, refusal: CyclesProtocolError) -> None:
        request_id, trace_id = random_hex(128), random_hex(128)
        problem = refusal.problem
        body = wire.encode_problem(problem, request_id=request_id, trace_id=trace_id)
        head = (
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nx-cycles-trace-id: {trace_id}\r\n"
            "connection: close\r\n"
        ).encode()
        waiting = b"".join(name + b": " + value + b"\r\n" for name, value in retry_after(problem))
        self.transport.write(STATUS_LINE[problem.status] + head + waiting + b"\r\n" + body)


def drop_overdue(connections: set[Any], now: float) -> None:
    """Hang up on every client that has kept us waiting for too long."""
    for connection in tuple(connections):
        if isinstance(connection, Connection):
            connection.drop_if_overdue(now)
