"""One client's connection, with bounds on what it may send before it is known.

uvicorn parses HTTP; it sets no limit to the size of a request's head nor to the time a request may
take to arrive. Whatever cannot be parsed is refused in the protocol's own error envelope.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from runcycles import wire
from runcycles.errors import CyclesProtocolError
from runcycles.ids import random_hex
from runcycles_server.http.problems import head_too_large, not_http

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers together; the protocol's own need about one."""
MAX_REQUEST_S: Final = 60.0
"""How long a request may take to arrive, head and body."""


class Connection(HttpToolsProtocol):
    """One connection and the requests that come over it."""

    _head_bytes = 0
    _in_head = False
    _since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there; its first request is awaited from now on."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request arrived."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(head_too_large(MAX_HEAD_BYTES))

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_bytes, self._in_head, self._since = 0, True, self.loop.time()

    def on_headers_complete(self) -> None:
        """A request's head is complete; the application takes over."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self._refuse(not_http())

    def drop_if_overdue(self, now: float) -> None:
        """Hang up where a request has taken too long to arrive."""
        if self._since is not None and now - self._since > MAX_REQUEST_S:
            self.transport.close()

    def _refuse(self, refusal: CyclesProtocolError) -> None:
        if self.transport.is_closing():
            return
        before = cast("RequestResponseCycle | None", self.cycle)
        if before is not None and not (before.response_complete or before.more_body):
            before.keep_alive = False  # a whole request came before this: answer it, then close
            return
        request_id, trace_id = random_hex(128), random_hex(128)
        problem = refusal.problem
        body = wire.encode_problem(problem, request_id=request_id, trace_id=trace_id)
        head = (
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nx-cycles-trace-id: {trace_id}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[problem.status] + head.encode() + body)
        self.transport.close()


def drop_overdue(connections: set[Any], now: float) -> None:
    """Hang up on every client whose request has taken too long to arrive."""
    for connection in tuple(connections):
        if isinstance(connection, Connection):
            connection.drop_if_overdue(now)
