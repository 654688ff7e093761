"""A bare connection to a server, for what no HTTP client would send."""

import contextlib
import json
import re
import socket
from typing import Any, Self

PATIENCE_S = 5
Answered = tuple[int, dict[str, str], dict[str, Any]]
"""The status, the headers and the body of an answer."""


class Wire:
    """One connection, byte by byte."""

    def __init__(self, base_url: str, *, window: int | None = None) -> None:
        host, _, port = base_url.removeprefix("http://").partition(":")
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE_S)
        if window is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.connect((host, int(port)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *lines: str) -> None:
        """Send the head of a request."""
        self.socket.sendall("\r\n".join((*lines, "", "")).encode())

    def received(self) -> bytes:
        """Everything until the server hangs up."""
        received = b""
        with contextlib.suppress(ConnectionResetError):  # it hung up on what was still coming
            while chunk := self.socket.recv(65_536):
                received += chunk
        return received

    def answers(self) -> list[Answered]:
        """Every answer until the server hangs up."""
        rest, found = self.received(), []
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            status = re.match(r"HTTP/1.1 (\d+) ", first)
            assert status is not None
            headers = dict(line.split(": ", 1) for line in lines)
            length = int(headers["content-length"])
            found.append((int(status[1]), headers, json.loads(rest[:length])))
            rest = rest[length:]
        return found

    def answer(self) -> Answered:
        """The one answer until the server hangs up."""
        (answer,) = self.answers()
        return answer

    def is_hung_up(self) -> bool:
        """Whether the server hangs up without another byte."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
