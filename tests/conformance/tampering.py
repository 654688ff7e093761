"""Our app behind something broken: what is asked and what is answered can be changed."""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_reserve(self) -> bool:
        return (self.method, self.path) == ("POST", "/v1/reservations")

    @property
    def said(self) -> Json:
        """The body, empty where it is no JSON object."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def key(self) -> str:
        """What the idempotency key belongs to, and the key."""
        key = self.said.get("idempotency_key")
        return f"{self.headers.get('x-cycles-api-key')} {self.path} {key}"

    def saying(self, body: Json) -> "Asked":
        """With another body; one that says the same stays as it was written."""
        if body == self.said:
            return self
        return replace(self, body=json.dumps(body).encode())

    def settles(self, step: str) -> bool:
        return self.method == "POST" and self.path.endswith(f"/{step}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Json:
        found: Json = json.loads(self.body)
        return found

    @property
    def is_ok(self) -> bool:
        return self.status < 300

    def saying(self, body: Json, status: int | None = None) -> "Answered":
        return replace(self, body=json.dumps(body).encode(), status=status or self.status)

    def without(self, *names: str) -> "Answered":
        return self.saying({name: each for name, each in self.said.items() if name not in names})

    def refuses(self, code: str) -> bool:
        return self.status >= 400 and self.said.get("error") == code


Forward = Callable[[Asked], Awaitable[Answered]]
Tamper = Callable[[Asked, Forward], Awaitable[Answered]]


class Tampered:
    """An app whose every exchange goes through a tamper."""

    def __init__(self, app: ASGIApp, tamper: Tamper) -> None:
        self._app = app
        self._tamper = tamper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=_decoded(scope["headers"]),
            body=await _body(receive),
        )

        async def forward(changed: Asked) -> Answered:
            return await _ask(self._app, scope, changed)

        answer = await self._tamper(asked, forward)
        headers = {**answer.headers, "content-length": str(len(answer.body))}
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": _encoded(headers)}
        )
        await send({"type": "http.response.body", "body": answer.body})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _ask(app: ASGIApp, scope: Scope, asked: Asked) -> Answered:
    sent: list[Message] = []
    headers = {**asked.headers, "content-length": str(len(asked.body))}
    changed = {
        **scope,
        "method": asked.method,
        "path": asked.path,
        "query_string": asked.query.encode("latin-1"),
        "headers": _encoded(headers),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": asked.body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(changed, receive, send)
    start, *rest = sent
    return Answered(
        status=start["status"],
        headers=_decoded(start["headers"]),
        body=b"".join(message["body"] for message in rest),
    )


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
