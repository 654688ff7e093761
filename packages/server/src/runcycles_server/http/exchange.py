"""One request on its way through: what is known about it so far, and the way to answer it.

The hot path pays for every object and every header list made here, so there is one object per
request, made of slots, and the headers that never change are made once.
"""

from collections.abc import Iterable
from http import HTTPStatus
from math import ceil
from time import perf_counter, time
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from runcycles import wire
from runcycles.errors import Problem
from runcycles.ids import random_hex
from runcycles.ledger.state import frozen_record
from runcycles.ops import Allowed, Denied
from runcycles.types import Verdict
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.http.bodies import TURNED_AWAY
from runcycles_server.http.correlation import given_trace_id
from runcycles_server.http.problems import (
    body_too_large,
    overloaded,
    retry_after,
    wrong_media_type,
)
from runcycles_server.http.whole_answers import taken

Header = tuple[bytes, bytes]

MAX_BODY_BYTES: Final = 1 << 20
"""No request of the protocol comes near 1 MiB; what is larger is refused before it is read."""

_MAX_AGENT: Final = 512
"""How much of a client's name for itself is kept."""
_JSON: Final = (b"content-type", b"application/json")
_CLOSE: Final = (b"connection", b"close")
_REMAINING: Final = b"x-ratelimit-remaining"
_RESET: Final = b"x-ratelimit-reset"
UNTHROTTLED: Final[tuple[Header, ...]] = ((_REMAINING, b"-1"), (_RESET, b"0"))
"""Authenticated calls are not throttled as such; the protocol's sentinels say so."""


class ClientGoneError(Exception):
    """The client hung up before its request was complete; nobody is left to answer."""


@frozen_record(kw_only=False)
class Answer:
    """What an endpoint replies."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = ()
    media_type: Header = _JSON


@frozen_record()
class Caller:
    """Who asks: a tenant's key, the operator, or nobody who is known.

    An empty `scope_filter` is no limit.
    """

    tenant: str | None = None
    key_id: str | None = None
    permissions: tuple[str, ...] = ()
    scope_filter: tuple[str, ...] = ()
    is_operator: bool = False


NOBODY_YET: Final = Caller()
OPERATOR: Final = Caller(is_operator=True)


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "_receive",
        "_send",
        "_send_whole",
        "_unread",
        "caller",
        "decision",
        "error_code",
        "headers",
        "is_governed",
        "reason",
        "replayed",
        "request_id",
        "reservation_id",
        "scope",
        "standing",
        "started",
        "status",
        "template",
        "trace_id",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = perf_counter()
        self.scope = scope
        self._receive = receive
        self._send = send
        self._send_whole = taken(scope)
        self._unread = True
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = random_hex(128)
        self.trace_id = given_trace_id(self.headers) or random_hex(128)
        self.standing: list[Header] = []
        """Headers that every answer carries from now on, refusals included."""
        self.caller = NOBODY_YET
        self.template: str | None = None
        self.is_governed = False
        """Whether it is about governing, where every failure goes into the audit log."""
        self.status: int | None = None
        self.decision: str | None = None
        self.reason: str | None = None
        self.error_code: str | None = None
        self.reservation_id: str | None = None
        self.replayed = False

    @property
    def path(self) -> str:
        """The path as the client wrote it, decoded."""
        path: str = self.scope["path"]
        return path

    def path_parameter(self, name: str) -> str:
        """A parameter of the endpoint's path; empty where it has none of that name."""
        value: str = self.scope.get("path_params", {}).get(name, "")
        return value

    @property
    def address(self) -> str | None:
        """Where the request comes from; of a proxy it is the proxy's."""
        client = self.scope.get("client")
        return client[0] if client else None

    def actor(self) -> Actor:
        """Who is acting, and from where, for the audit log."""
        agent = self.headers.get(b"user-agent")
        return Actor(
            tenant=self.caller.tenant,
            key_id=self.caller.key_id,
            source_ip=self.address,
            user_agent=None if agent is None else agent[:_MAX_AGENT].decode("latin-1"),
            request_id=self.request_id,
            trace_id=self.trace_id,
        )

    async def json_body(self) -> bytes:
        """The whole body, if it says it is JSON and is not too large.

        Raises:
            CyclesProtocolError: 415 or 413, without reading more than the limit, or 429.
            ClientGoneError: the client hung up.
        """
        media_type = self.headers.get(b"content-type", b"application/json")
        if media_type.partition(b";")[0].strip().lower() != b"application/json":
            raise wrong_media_type(media_type.decode("latin-1"))
        if self._declared_bytes() > MAX_BODY_BYTES:
            raise body_too_large(MAX_BODY_BYTES)
        body = bytearray()
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            body += message.get("body", b"")
            if TURNED_AWAY in self.scope:
                raise overloaded()
            if len(body) > MAX_BODY_BYTES:
                raise body_too_large(MAX_BODY_BYTES)
            more = message.get("more_body", False)
        self._unread = False
        return bytes(body)

    async def answer(self, answer: Answer) -> None:
        """Send the answer."""
        body = answer.body
        headers = [
            answer.media_type,
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", self.request_id.encode()),
            (b"x-cycles-trace-id", self.trace_id.encode()),
            *self.standing,
            *answer.headers,
        ]
        is_ordinary = True
        if answer.status == HTTPStatus.NOT_MODIFIED:
            del headers[:2]  # it has no body that they could describe
            is_ordinary = False
        if self._unread and self._leaves_much_unread():
            headers.append(_CLOSE)
            is_ordinary = False
        self.status = answer.status
        send_whole = self._send_whole
        if is_ordinary and send_whole is not None and send_whole(answer.status, headers, body):
            return
        await self._send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": body})

    async def refuse(self, problem: Problem, headers: Iterable[Header] = ()) -> None:
        """Send a refusal in the error envelope."""
        self.error_code = problem.error_code
        self.reason = problem.reason_code
        body = wire.encode_problem(problem, request_id=self.request_id, trace_id=self.trace_id)
        if problem.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._say_until_when(problem.retry_after_ms or 0)
        await self.answer(Answer(problem.status, body, (*retry_after(problem), *headers)))

    def decided(self, reply: Any) -> None:
        """Keep what the access log says about the answer; None is a remembered one."""
        match reply:
            case Allowed(decision=decision, reservation_id=reservation_id):
                self.decision = decision
                self.reservation_id = reservation_id
            case Denied(reason_code=reason):
                self.decision, self.reason = Verdict.DENY, reason
            case None:
                self.replayed = True
            case _:
                pass

    def _say_until_when(self, wait_ms: int) -> None:
        """The protocol's headers of what is throttled, instead of those of what is not."""
        reset_s = ceil(time() + wait_ms / 1_000)
        self.standing = [each for each in self.standing if each[0] not in (_REMAINING, _RESET)]
        self.standing += [(_REMAINING, b"0"), (_RESET, b"%d" % reset_s)]

    def _declared_bytes(self) -> int:
        declared = self.headers.get(b"content-length", b"0")
        return int(declared) if declared.isdigit() else 0

    def _leaves_much_unread(self) -> bool:
        """Whether so much of the body may still come that the connection is better closed."""
        return b"transfer-encoding" in self.headers or self._declared_bytes() > MAX_BODY_BYTES
