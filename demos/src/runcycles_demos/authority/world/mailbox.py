"""An SMTP server that keeps what it is sent: the witness for every e-mail that left the agent.

It speaks as much of RFC 5321 as an ordinary client needs, and delivers to nobody.
"""

import asyncio
import email
import email.policy
import threading
from concurrent.futures import Future
from contextlib import suppress

from runcycles_demos.authority.world.effects import EMAIL, Effects
from runcycles_demos.kit.stack import LOOPBACK

_LINE_BYTES = 64 * 1024
_MESSAGE_BYTES = 1024 * 1024  # far more than a reply to a customer; without an end it could be all
_START_S = 10.0
_READY, _BYE, _OK, _GO_ON = "220 mailbox ready", "221 bye", "250 ok", "354 end with a dot"
_TOO_LARGE, _OUT_OF_ORDER, _UNKNOWN = "552 too large", "503 out of order", "502 unknown command"


class Mailbox:
    """Open while it is entered; `port` is where it listens."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self._stop = asyncio.Event()
        self._listening: Future[tuple[asyncio.AbstractEventLoop, int]] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="mailbox", daemon=True
        )

    def open(self) -> int:
        """Listen; return the port."""
        self._thread.start()
        return self._listening.result(timeout=_START_S)[1]

    def close(self) -> None:
        """Stop listening; returns when the thread has ended."""
        loop, _ = self._listening.result(timeout=_START_S)
        loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=_START_S)

    async def _serve(self) -> None:
        try:
            server = await asyncio.start_server(self._talk, LOOPBACK, 0, limit=_LINE_BYTES)
        except OSError as exc:
            self._listening.set_exception(exc)
            return
        port = server.sockets[0].getsockname()[1]
        self._listening.set_result((asyncio.get_running_loop(), port))
        await self._stop.wait()
        server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        recipients: list[str] = []
        await say(_READY)
        while line := await reader.readline():
            command, _, rest = line.decode(errors="replace").strip().partition(" ")
            match command.upper():
                case "EHLO" | "HELO" | "NOOP":
                    await say(_OK)
                case "MAIL" | "RSET":
                    recipients.clear()
                    await say(_OK)
                case "RCPT":
                    recipients.append(rest.partition(":")[2].strip(" <>"))
                    await say(_OK)
                case "DATA" if recipients:
                    await say(_GO_ON)
                    message = await _read_message(reader)
                    if message is None:
                        await say(_TOO_LARGE)
                        return
                    self._deliver(recipients, message)
                    await say(_OK)
                case "DATA":
                    await say(_OUT_OF_ORDER)
                case "QUIT":
                    await say(_BYE)
                    return
                case _:
                    await say(_UNKNOWN)

    def _deliver(self, recipients: list[str], message: bytes) -> None:
        subject = email.message_from_bytes(message, policy=email.policy.default)["Subject"]
        for recipient in recipients:
            self._effects.add(EMAIL, recipient, str(subject or ""))


async def _read_message(reader: asyncio.StreamReader) -> bytes | None:
    """Read up to the line with the single dot; None for what is too large to keep."""
    lines: list[bytes] = []
    size = 0
    while (line := await reader.readline()).rstrip(b"\r\n") != b".":
        size += len(line)
        if not line or size > _MESSAGE_BYTES:
            return None
        lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
    return b"".join(lines)
