"""Bare keep-alive connections to a server, cheap enough for many at once in one process."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self


class HungUpError(Exception):
    """The server is gone: whether it did what was asked is unknown."""


class Line:
    """One connection; one question at a time."""

    def __init__(self, base_url: str, api_key: str) -> None:
        host, _, port = base_url.removeprefix("http://").partition(":")
        self._address = (host, int(port))
        self._head = f"host: {host}\r\nx-cycles-api-key: {api_key}\r\n"

    async def __aenter__(self) -> Self:
        try:
            self._reader, self._writer = await asyncio.open_connection(*self._address)
        except OSError as problem:
            raise HungUpError from problem
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._writer.close()

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Ask, and wait for the answer.

        Raises:
            HungUpError: no whole answer came.
        """
        content = json.dumps(body).encode()
        await self.send(path, len(content), content)
        return await self.answer()

    async def send(self, path: str, length: int, content: bytes) -> None:
        """Send a head that promises `length` bytes, and these of them."""
        head = f"POST {path} HTTP/1.1\r\n{self._head}content-length: {length}\r\n\r\n"
        await self.send_more(head.encode() + content)

    async def send_more(self, content: bytes) -> None:
        """Send some more of a body."""
        try:
            self._writer.write(content)
            await self._writer.drain()
        except OSError as problem:
            raise HungUpError from problem

    async def answer(self) -> tuple[int, dict[str, Any]]:
        """The status and the body of one answer."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            status, _, fields = head.decode().partition("\r\n")
            names = dict(field.split(": ", 1) for field in fields.split("\r\n") if field)
            body = await self._reader.readexactly(int(names["content-length"]))
        except (OSError, asyncio.IncompleteReadError) as problem:
            raise HungUpError from problem
        found: dict[str, Any] = json.loads(body)
        return int(status.split()[1]), found
