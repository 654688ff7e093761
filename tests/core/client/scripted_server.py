"""A server on a real socket that says what a script says, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

ALLOWED: Final = {
    "decision": "ALLOW",
    "affected_scopes": ["tenant:acme"],
    "reservation_id": "r1",
    "remaining_ttl_ms": 60_000,
}
COMMITTED: Final = {"status": "COMMITTED", "charged": {"unit": "TOKENS", "amount": 40}}


@dataclass(frozen=True, slots=True)
class Say:
    """One answer. `body` is JSON unless it is bytes; `hang_up` closes the connection instead."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


HANG_UP: Final = Say(hang_up=True)


def problem(status: int, code: str, **headers: str) -> Say:
    """An error answer as the protocol wants it."""
    body = {"error": code, "message": "so", "request_id": "req-1", "trace_id": "a" * 32}
    return Say(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: int


@dataclass
class Server:
    """Says the answers of its script one after the other; the last one again and again."""

    script: Sequence[Say]
    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    def next(self) -> Say:
        return self.script[min(len(self.asked), len(self.script)) - 1]


@contextmanager
def scripted(*script: Say) -> Iterator[Server]:
    """Serve until the block ends."""
    server = Server(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            server.asked.append(
                Asked(
                    method=self.command,
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=json.loads(body) if body else None,
                    connection=self.client_address[1],
                )
            )
            say = server.next()
            if say.hang_up:
                self.close_connection = True
                return
            self.send_response(say.status)
            for name, value in say.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(say.raw)))
            self.end_headers()
            self.wfile.write(say.raw)

        do_GET = do_POST = _answer  # noqa: N815 - the names http.server calls

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join(5)
