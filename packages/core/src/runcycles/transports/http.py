"""Questions over HTTP: pooled connections, one way to build requests and to read answers."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, TypeVar

import httpx
from anyio.lowlevel import RunVar

from runcycles import wire
from runcycles.config import CyclesConfig
from runcycles.errors import CyclesTransportError
from runcycles.ids import new_id, random_hex
from runcycles.ops import Op
from runcycles.transports.base import SENDING, Sending
from runcycles.wire import headers

R = TypeVar("R")

KEEPALIVE_S: Final = 30.0
"""Idle connections are given up before most servers and proxies would do it under our feet."""
MAX_RETRY_AFTER_DIGITS: Final = 9
"""Longer ones ask to wait for more than thirty years: that is no number of seconds."""


class HTTPTransport:
    """Carries questions from threads."""

    def __init__(self, config: CyclesConfig) -> None:
        self._timeouts = Timeouts.of(config)
        self._http = httpx.Client(**_settings(config))

    def send(self, op: Op[R]) -> R:
        """The answer to a question; see `Transport.send`."""
        request = _request(self._http, op, self._timeouts)
        try:
            response = self._http.send(request)
        except (httpx.HTTPError, httpx.StreamError, RuntimeError) as problem:
            raise _no_answer(request, problem) from problem
        return _answer(op, response)

    def close(self) -> None:
        """Close the pool."""
        self._http.close()


class AsyncHTTPTransport:
    """Carries questions from event loops. Each loop has a pool of its own, made when first used."""

    def __init__(self, config: CyclesConfig) -> None:
        self._timeouts = Timeouts.of(config)
        self._settings = _settings(config)
        self._pool: RunVar[httpx.AsyncClient | None] = RunVar("runcycles_pool", None)

    async def send(self, op: Op[R]) -> R:
        """The answer to a question; see `Transport.send`."""
        pool = self._pool.get()
        if pool is None:
            pool = httpx.AsyncClient(**self._settings)
            self._pool.set(pool)
        request = _request(pool, op, self._timeouts)
        try:
            response = await pool.send(request)
        except (httpx.HTTPError, httpx.StreamError, RuntimeError) as problem:
            raise _no_answer(request, problem) from problem
        return _answer(op, response)

    async def aclose(self) -> None:
        """Close this loop's pool."""
        pool = self._pool.get()
        self._pool.set(None)
        if pool is not None:
            await pool.aclose()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each phase of a request may take, in seconds; together they bound an attempt."""

    connect: float
    read: float

    @classmethod
    def of(cls, config: CyclesConfig) -> "Timeouts":
        """The config's."""
        return cls(config.connect_timeout, config.read_timeout)

    @property
    def total(self) -> float:
        """The longest an attempt may take: pool, connect, write, read."""
        return 3 * self.connect + self.read

    def within(self, seconds: float | None) -> httpx.Timeout:
        """The phases, shortened in proportion where the attempt has less time."""
        share = 1.0 if seconds is None else min(1.0, seconds / self.total)
        return httpx.Timeout(self.connect * share, read=self.read * share)


def _settings(config: CyclesConfig) -> dict[str, Any]:
    """What both kinds of pool are made with. Proxies and CA files come from the environment."""
    return {
        "base_url": config.base_url,
        "headers": {
            headers.API_KEY: config.api_key or "",
            headers.EXTENSIONS: headers.EXTENSION_VERSION,
            "Accept": "application/json",
            "User-Agent": f"runcycles/{version('runcycles')} python/{platform.python_version()}",
        },
        # reading the certificates takes longer than a question, and http:// has no use for them
        "verify": httpx.create_ssl_context() if config.base_url.startswith("https:") else False,
        "limits": httpx.Limits(
            max_connections=config.max_connections,
            max_keepalive_connections=config.max_connections,
            keepalive_expiry=KEEPALIVE_S,
        ),
    }


def _request(
    pool: httpx.Client | httpx.AsyncClient, op: Op[Any], timeouts: Timeouts
) -> httpx.Request:
    """The HTTP request of a question."""
    sending = SENDING.get() or Sending(new_id())
    sent = {headers.TRACEPARENT: f"00-{sending.trace_id}-{random_hex(64)}-01"}
    body = wire.encode_body(op)
    if body is None:
        params = wire.query_of(op)
    else:
        params = None
        sent["Content-Type"] = "application/json"
        key: str = getattr(op, "idempotency_key", "")
        if key.isascii() and key.isprintable() and key == key.strip():
            sent[headers.IDEMPOTENCY_KEY] = key
    return pool.build_request(
        wire.ENDPOINTS[type(op)].method,
        wire.path_of(op),
        content=body,
        params=params or None,
        headers=sent,
        timeout=timeouts.within(sending.timeout),
    )


def _answer(op: Op[R], response: httpx.Response) -> R:
    """What an HTTP answer says; only the exact status of success is one."""
    status, found = response.status_code, response.headers
    ids = {"request_id": found.get(headers.REQUEST_ID), "trace_id": found.get(headers.TRACE_ID)}
    if status == wire.ENDPOINTS[type(op)].status:
        reply = wire.decode_reply(op, status, response.content, **ids)
        return wire.as_observed(op, reply) if found.get(headers.OBSERVED) == "true" else reply
    if response.is_success:
        raise CyclesTransportError(f"the authority answered {status}, which is no answer to this")
    waiting = _milliseconds(found.get(headers.RETRY_AFTER))
    problem = wire.decode_problem(status, response.content, retry_after_ms=waiting, **ids)
    raise wire.error_for(op, problem)


def _milliseconds(seconds: str | None) -> int | None:
    """`Retry-After`: whole seconds only; this API has no HTTP dates."""
    if seconds and seconds.isascii() and seconds.isdigit():
        return int(seconds) * 1_000 if len(seconds) <= MAX_RETRY_AFTER_DIGITS else None
    return None


def _no_answer(request: httpx.Request, problem: Exception) -> CyclesTransportError:
    reason = str(problem) or type(problem).__name__
    return CyclesTransportError(
        f"no answer from {request.url.scheme}://{request.url.netloc.decode()}: {reason}"
    )
