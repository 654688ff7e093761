"""The client's ordinary way to the server, with a note of what is asked on it and how long it took.

The demo asks the refused question again, to the letter and under the same key, and the key is made
inside of the guard. So it is read where the question leaves the client, through the seam that the
client has for transports. So is what only the guard is told: what a dry run says, and how much of
an estimate a commit gives back.
"""

import time
from typing import Any, TypeVar

from runcycles import CyclesConfig
from runcycles.ops import Commit, Committed, Denied, Op, Record, Reserve
from runcycles.transports.http import AsyncHTTPTransport, HTTPTransport
from runcycles.wire import encode_body
from runcycles_demos.runaway.watch import Tell

R = TypeVar("R")


class OverheardAuthority:
    """The server of a config, as `CyclesClient(config, authority=…)` takes it."""

    def __init__(self, config: CyclesConfig, tell: Tell) -> None:
        self._config = config
        self._tell = tell
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

    def transport(self) -> "Overheard":
        """What sync code sends its questions through."""
        return Overheard(self, HTTPTransport(self._config))

    def async_transport(self) -> "OverheardAsync":
        """What async code sends its questions through."""
        return OverheardAsync(self, AsyncHTTPTransport(self._config))

    def asking(self, op: Op[Any]) -> float:
        """Note a question that leaves; return the moment."""
        if isinstance(op, Reserve):
            self._asked = op
        return time.monotonic()

    def answered(self, op: Op[Any], answer: object, asked_at: float) -> None:
        """Tell of a question that was answered, if it is one of a guard's."""
        now = time.monotonic()
        ms = (now - asked_at) * 1000
        match op:
            case Reserve():
                refused = answer.reason_code if isinstance(answer, Denied) else None
                word = "dry_run" if op.dry_run else "reserve"
                self._tell("asked", now, op=word, ms=ms, refused=refused)
            case Commit() if isinstance(answer, Committed):
                released = answer.released.amount if answer.released else 0
                self._tell("asked", now, op="commit", ms=ms, released=released)
            case Record():
                self._tell("asked", now, op="record", ms=ms)
            case _:
                pass


class Overheard:
    """Questions of sync code."""

    def __init__(self, authority: OverheardAuthority, http: HTTPTransport) -> None:
        self._authority, self._http = authority, http

    def send(self, op: Op[R]) -> R:
        """Note a question, send it on, and note its answer."""
        asked_at = self._authority.asking(op)
        answer = self._http.send(op)
        self._authority.answered(op, answer, asked_at)
        return answer

    def close(self) -> None:
        """Close the pool."""
        self._http.close()


class OverheardAsync:
    """Questions of async code."""

    def __init__(self, authority: OverheardAuthority, http: AsyncHTTPTransport) -> None:
        self._authority, self._http = authority, http

    async def send(self, op: Op[R]) -> R:
        """Note a question, send it on, and note its answer."""
        asked_at = self._authority.asking(op)
        answer = await self._http.send(op)
        self._authority.answered(op, answer, asked_at)
        return answer

    async def aclose(self) -> None:
        """Close this event loop's pool."""
        await self._http.aclose()
