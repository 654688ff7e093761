"""The client's ordinary way to the server, with a note of what is asked on it and what came of it.

A guard keeps to itself what it asks and under which key; what the server answered is read here,
where the answer reaches the client, through the seam that the client has for transports.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from runcycles import CyclesConfig, CyclesError
from runcycles.ops import Op
from runcycles.transports.http import AsyncHTTPTransport, HTTPTransport

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One question, and its answer or the error in place of one."""

    op: Op[Any]
    answer: object
    asked_at: float
    answered_at: float

    @property
    def ms(self) -> float:
        """How long it took."""
        return (self.answered_at - self.asked_at) * 1000


Listen = Callable[[Heard], None]


class OverheardAuthority:
    """The server of a config, as `CyclesClient(config, authority=…)` takes it."""

    def __init__(self, config: CyclesConfig, listen: Listen) -> None:
        self._config = config
        self.listen = listen

    @property
    def tenant(self) -> str:
        """The tenant of the config."""
        return self._config.tenant or ""

    def transport(self) -> "Overheard":
        """What sync code sends its questions through."""
        return Overheard(self, HTTPTransport(self._config))

    def async_transport(self) -> "OverheardAsync":
        """What async code sends its questions through."""
        return OverheardAsync(self, AsyncHTTPTransport(self._config))

    def heard(self, op: Op[Any], answer: object, asked_at: float) -> None:
        """Hand one question on."""
        now = time.monotonic()
        self.listen(Heard(op=op, answer=answer, asked_at=asked_at, answered_at=now))


class Overheard:
    """Questions of sync code."""

    def __init__(self, authority: OverheardAuthority, http: HTTPTransport) -> None:
        self._authority, self._http = authority, http

    def send(self, op: Op[R]) -> R:
        """Send a question on, and note what came of it."""
        asked_at = time.monotonic()
        try:
            answer = self._http.send(op)
        except CyclesError as problem:
            self._authority.heard(op, problem, asked_at)
            raise
        self._authority.heard(op, answer, asked_at)
        return answer

    def close(self) -> None:
        """Close the pool."""
        self._http.close()


class OverheardAsync:
    """Questions of async code."""

    def __init__(self, authority: OverheardAuthority, http: AsyncHTTPTransport) -> None:
        self._authority, self._http = authority, http

    async def send(self, op: Op[R]) -> R:
        """Send a question on, and note what came of it."""
        asked_at = time.monotonic()
        try:
            answer = await self._http.send(op)
        except CyclesError as problem:
            self._authority.heard(op, problem, asked_at)
            raise
        self._authority.heard(op, answer, asked_at)
        return answer

    async def aclose(self) -> None:
        """Close this event loop's pool."""
        await self._http.aclose()
