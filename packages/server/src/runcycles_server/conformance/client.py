"""HTTP as the kit speaks it: every answer is kept with its request, to be judged and shown."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

TIMEOUT_S: Final = 30.0
"""An answer that takes longer is none."""
API_KEY: Final = "X-Cycles-API-Key"
ADMIN_KEY: Final = "X-Admin-API-Key"

_SECRET_HEADERS: Final = (API_KEY.lower(), ADMIN_KEY.lower())
_SECRET_MEMBERS: Final = ("key_secret", "signing_secret")
_SHOWN: Final = 2_000
"""How much of a body a report shows."""


class ViolationError(Exception):
    """The server did not do what a requirement asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, and what was asked."""

    method: str
    path: str
    asked_headers: Mapping[str, str]
    asked: bytes
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The body.

        Raises:
            ViolationError: it is not JSON.
        """
        try:
            return json.loads(self.content, parse_constant=_no_number)
        except ValueError:
            raise ViolationError("the body of the answer is not JSON") from None

    def __getitem__(self, name: str) -> Any:
        body = self.json
        if not isinstance(body, dict) or name not in body:
            raise ViolationError(f"the answer has no {name}")
        return body[name]

    def __contains__(self, name: str) -> bool:
        body = self.json
        return isinstance(body, dict) and name in body

    def get(self, name: str) -> Any:
        """A member of the body, or None where it is absent."""
        body = self.json
        return body.get(name) if isinstance(body, dict) else None

    @property
    def code(self) -> str | None:
        """The error code, if the answer is an error as the protocol writes them."""
        try:
            body = self.json
        except ViolationError:
            return None
        return str(body["error"]) if isinstance(body, dict) and "error" in body else None

    def __str__(self) -> str:
        """Request and answer for a report, no secret in them."""
        keys = [f"{name}: …" for name in self.asked_headers if name.lower() in _SECRET_HEADERS]
        asked = [f"{self.method} {self.path}", *keys, shown(self.asked)]
        return "\n".join([*filter(None, asked), f"→ {self.status} {shown(self.content)}"])


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def shown(content: bytes) -> str:
    """A body for a report: secrets masked, and no longer than anybody reads."""
    text = content.decode("utf-8", "replace")
    if any(name in text for name in _SECRET_MEMBERS):
        try:
            text = json.dumps(json.loads(text, object_hook=_masked), ensure_ascii=False)
        except ValueError:
            text = "(a body with a secret)"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(content):,} bytes)"


def _masked(found: dict[str, Any]) -> dict[str, Any]:
    return {name: "…" if name in _SECRET_MEMBERS else value for name, value in found.items()}


class Caller:
    """Asks a server with the same headers every time; each answer is handed to `heard`."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        heard: Callable[[Answer], None],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._http = http
        self._heard = heard
        self._headers = dict(headers or {})

    def with_headers(self, **headers: str) -> "Caller":
        """The same caller with other headers; `_` in a name stands for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return Caller(self._http, self._heard, {**self._headers, **given})

    def without_keys(self) -> "Caller":
        """The same caller as nobody."""
        return Caller(self._http, self._heard)

    def keyed(self, api_key: str) -> "Caller":
        """The same caller with this API key and no other."""
        return Caller(self._http, self._heard, {API_KEY: api_key})

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask once. `content` is a body byte by byte, for what no JSON library would write.

        Raises:
            ViolationError: no answer came.
        """
        if content is None and body is not None:
            content = json.dumps(body).encode()
        given = {**self._headers, **(headers or {})}
        if content is not None:
            given.setdefault("Content-Type", "application/json")
        try:
            request = self._http.build_request(
                method, path, params=query, headers=given, content=content
            )
            response = await self._http.send(request)
        except httpx.HTTPError as problem:
            reason = str(problem) or type(problem).__name__
            raise ViolationError(f"{method} {path} was not answered: {reason}") from problem
        answer = Answer(
            method=method,
            path=request.url.raw_path.decode(),
            asked_headers=given,
            asked=content or b"",
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            content=response.content,
        )
        self._heard(answer)
        return answer
