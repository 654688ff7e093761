"""As much HTTP/1.1 as a loopback model needs: keep-alive, limits, time-outs, one write an answer.

The head and the body leave in one write on a socket without Nagle's delay; apart, the two would
cost 40 ms a call. Only what the OpenAI clients send is understood, the rest is refused politely.
"""

import asyncio
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias, assert_never
from urllib.parse import urlsplit

from runcycles.testing.model_server.clock import Clock

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one caller may take; a caller that wants more is answered and let go."""

    header_bytes: int = 32 * 1024  # clients send about one kilobyte
    body_bytes: int = 4 * 1024 * 1024  # a conversation of a million tokens
    connections: int = 512
    idle_s: float = 75.0  # longer than any client keeps a connection it does not use
    transfer_s: float = 10.0  # for one request to arrive, or one write to be taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One complete request; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole document; `cut_to` sends only so many of its bytes and then hangs up."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    """Server-sent events with a pause between them; `cut_after` hangs up after so many."""

    events: tuple[bytes, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    cut_after: int | None = None


@dataclass(frozen=True, slots=True)
class HangUp:
    """No answer: the connection closes."""


Outgoing: TypeAlias = Answer | EventStream | HangUp
Handler: TypeAlias = Callable[[Request], Awaitable[Outgoing]]


class RefusedError(Exception):
    """A request that ends the connection, because it cannot be read to its end."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Connections:
    """Serves every connection in a task of its own until it is closed."""

    def __init__(
        self,
        handler: Handler,
        *,
        refuse: Callable[[int, str], Answer],
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._handler = handler
        self._refuse = refuse
        self._limits = limits
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to serve a new connection; handed to `asyncio.start_server`."""
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End every connection, in the middle of an answer if need be."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._tasks) > self._limits.connections:
                await self._send(writer, self._refuse(503, "Too many connections."), last=True)
                return
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller has gone
        except TimeoutError:
            writer.transport.abort()  # waited for long enough: what is unsent stays so
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; return whether the connection may carry another."""
        async with asyncio.timeout(self._limits.idle_s):
            first = await reader.readexactly(1)
        try:
            async with asyncio.timeout(self._limits.transfer_s):
                request = await read_request(first, reader, writer, self._limits)
        except RefusedError as refused:
            await self._send(writer, self._refuse(refused.status, refused.message), last=True)
            return False
        try:
            outgoing = await self._handler(request)
        except Exception:  # noqa: BLE001 - the last middleware: one bad answer, not a dead server
            _log.exception("the model server failed on %s %s", request.method, request.path)
            outgoing = self._refuse(500, "The model server failed; its log says why.")
        last = request.headers.get("connection", "").lower() == "close"
        return await self._send(writer, outgoing, last=last)

    async def _send(self, writer: asyncio.StreamWriter, outgoing: Outgoing, *, last: bool) -> bool:
        match outgoing:
            case Answer():
                await self._write(writer, _answer_bytes(outgoing, last=last))
                return not last and outgoing.cut_to is None
            case EventStream():
                await self._stream(writer, outgoing, last=last)
                return not last and outgoing.cut_after is None
            case HangUp():
                return False
            case _:
                assert_never(outgoing)

    async def _stream(
        self, writer: asyncio.StreamWriter, stream: EventStream, *, last: bool
    ) -> None:
        headers = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
        head = _head(200, {**headers, **stream.headers}, last=last)
        for index, event in enumerate(stream.events[: stream.cut_after]):
            if index and stream.pause_s:
                await self._clock.sleep(stream.pause_s)
            await self._write(writer, head + b"%x\r\n%s\r\n" % (len(event), event))
            head = b""
        if stream.cut_after is None:
            await self._write(writer, b"0\r\n\r\n")

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        async with asyncio.timeout(self._limits.transfer_s):
            await writer.drain()


def _answer_bytes(answer: Answer, *, last: bool) -> bytes:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(answer.body))}
    head = _head(answer.status, {**headers, **answer.headers}, last=last)
    return head + answer.body[: answer.cut_to]


def _head(status: int, headers: Mapping[str, str], *, last: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {_phrase(status)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["Connection: close"] if last else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"  # an injected status need not be a registered one


async def read_request(
    first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits
) -> Request:
    """Read one request, whose first byte has arrived already.

    Raises:
        RefusedError: it is too large, or not the HTTP that we speak.
    """
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as exc:
        raise RefusedError(431, "The headers are too large.") from exc
    start, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    try:
        method, target, version = start.split(" ")
        headers = {
            name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)
        }
        url = urlsplit(target)
    except ValueError as exc:
        raise RefusedError(400, "This is not an HTTP request.") from exc
    if version != "HTTP/1.1":
        raise RefusedError(505, "This server speaks HTTP/1.1.")
    if "transfer-encoding" in headers:
        raise RefusedError(411, "Send the body with a Content-Length.")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(reader, headers.get("content-length", "0"), limits)
    return Request(method=method, path=url.path, query=url.query, headers=headers, body=body)


async def _read_body(reader: asyncio.StreamReader, length: str, limits: Limits) -> bytes:
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise RefusedError(400, "Content-Length is not a number.")
    size = int(length)
    if size <= limits.body_bytes:
        return await reader.readexactly(size)
    # A caller hears the refusal only once its own writing has come to an end.
    unread = min(size, 4 * limits.body_bytes)
    while unread and (chunk := await reader.read(min(unread, 65_536))):
        unread -= len(chunk)
    raise RefusedError(413, f"The body is larger than {limits.body_bytes} bytes.")
