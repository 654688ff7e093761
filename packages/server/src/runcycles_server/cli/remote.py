"""A server, as the commands of operators reach it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, cast
from urllib.parse import quote, urlsplit

import httpx

from runcycles import wire
from runcycles.errors import ConfigurationError, CyclesTransportError
from runcycles_server.http.auth import ADMIN_KEY, API_KEY

TIMEOUT_S: Final = 30.0
"""Closing a large tenant takes longer than any question of an agent."""
PAGE: Final = 100

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Remote:
    """Asks with the admin key where there is one, else with a tenant's API key."""

    base_url: str
    keys: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_env(cls) -> Self:
        """The server and the key that the environment names.

        Raises:
            ConfigurationError: naming the variable that is missing or wrong.
        """
        base_url = os.environ.get("CYCLES_BASE_URL", "")
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise ConfigurationError("CYCLES_BASE_URL must say where the server is: http://…")
        if admin := os.environ.get("CYCLES_ADMIN_KEY"):
            return cls(base_url, {ADMIN_KEY.decode(): admin})
        if own := os.environ.get("CYCLES_API_KEY"):
            return cls(base_url, {API_KEY.decode(): own})
        raise ConfigurationError("set CYCLES_ADMIN_KEY, the operator's key of the server")

    @staticmethod
    def is_operator() -> bool:
        """Whether the environment has the admin key, so that tenants have to be named."""
        return bool(os.environ.get("CYCLES_ADMIN_KEY"))

    def get(self, path: str, **query: Any) -> Json:
        """What is there."""
        return self._ask("GET", path, query)

    def post(self, path: str, body: Json | None = None, **query: Any) -> Json:
        """Make or do something."""
        return self._ask("POST", path, query, body)

    def patch(self, path: str, body: Json, **query: Any) -> Json:
        """Change something."""
        return self._ask("PATCH", path, query, body)

    def delete(self, path: str, **query: Any) -> Json:
        """End something."""
        return self._ask("DELETE", path, query)

    def every(self, path: str, member: str, *, most: int | None = None, **query: Any) -> list[Json]:
        """The rows of all pages of a list, or the first `most` of them."""
        rows: list[Json] = []
        for page in self._pages(path, query):
            rows += page[member]
            if most is not None and len(rows) >= most:
                return rows[:most]
        return rows

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[Json]:
        cursor = None
        while True:
            page = self.get(path, **query, limit=PAGE, cursor=cursor)
            yield page
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def _ask(
        self, method: str, path: str, query: Mapping[str, Any], body: Json | None = None
    ) -> Json:
        given = {name: _text(value) for name, value in query.items() if value is not None}
        try:
            answer = httpx.request(
                method,
                self.base_url.rstrip("/") + path,
                params=given or None,
                json=body,
                headers=dict(self.keys),
                timeout=TIMEOUT_S,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            reason = str(problem) or type(problem).__name__
            raise CyclesTransportError(f"no answer from {self.base_url}: {reason}") from problem
        if answer.is_success:
            return cast("Json", answer.json()) if answer.content else {}
        raise wire.error_for(None, wire.decode_problem(answer.status_code, answer.content))


def escaped(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
