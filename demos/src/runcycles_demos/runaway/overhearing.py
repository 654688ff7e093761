"""The client's ordinary way to the server, with a note of the last reservation it asked for.

The demo asks the refused question again, to the letter and under the same key, and the key is made
inside of the guard. So it is read where the question leaves the client, through the seam that the
client has for transports.
"""

from typing import TypeVar

from runcycles import CyclesConfig
from runcycles.ops import Op, Reserve
from runcycles.transports import AsyncTransport
from runcycles.transports.http import AsyncHTTPTransport, HTTPTransport
from runcycles.wire import encode_body

R = TypeVar("R")


class OverheardAuthority:
    """The server of a config, as `CyclesClient(config, authority=…)` takes it."""

    def __init__(self, config: CyclesConfig) -> None:
        self._config = config
        self._http = HTTPTransport(config)
        self._asked: Reserve | None = None

    @property
    def last_question(self) -> str | None:
        """The body of the last request for a reservation, as it was sent."""
        body = None if self._asked is None else encode_body(self._asked)
        return None if body is None else body.decode()

    @property
    def tenant(self) -> str:
        """The tenant of the config."""
        return self._config.tenant or ""

    def transport(self) -> "OverheardAuthority":
        """What a sync client sends its questions through."""
        return self

    def async_transport(self) -> AsyncTransport:
        """What an async client would send its questions through; nobody listens there."""
        return AsyncHTTPTransport(self._config)

    def send(self, op: Op[R]) -> R:
        """Note a request for a reservation, and send it on."""
        if isinstance(op, Reserve):
            self._asked = op
        return self._http.send(op)

    def close(self) -> None:
        """Close the pool."""
        self._http.close()
