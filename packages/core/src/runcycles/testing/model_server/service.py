"""The model itself: who asks what, what is answered, when, and what it costs.

It knows neither sockets nor threads: a request goes in, and what to send comes out.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import Protocol, assert_never
from urllib.parse import parse_qs

from runcycles.testing.model_server import chat, responses
from runcycles.testing.model_server.clock import Clock
from runcycles.testing.model_server.connections import (
    Answer,
    EventStream,
    HangUp,
    Outgoing,
    Request,
)
from runcycles.testing.model_server.faults import Fault, FaultKind, faults_of, read_faults
from runcycles.testing.model_server.meter import Call, Meter, Price, digest
from runcycles.testing.model_server.requests import (
    RUN_NAME,
    BadRequestError,
    ModelRequest,
    read_object,
)
from runcycles.testing.model_server.scripts import Completion, Script, ScriptError, complete, seeded
from runcycles.testing.model_server.sse import CREATED

MODELS = ("scripted-model",)  # what the list of models holds; a request may name any other


class _Document(Protocol):
    def __call__(
        self, request: ModelRequest, completion: Completion, *, call: int
    ) -> dict[str, object]: ...


class _Events(Protocol):
    def __call__(
        self, request: ModelRequest, completion: Completion, *, call: int
    ) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialect:
    read_request: Callable[[Mapping[str, object]], ModelRequest]
    document: _Document
    events: _Events


_CHAT = _Dialect(read_request=chat.read_request, document=chat.document, events=chat.events)
_RESPONSES = _Dialect(
    read_request=responses.read_request, document=responses.document, events=responses.events
)


def error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return an answer in the shape of OpenAI's errors."""
    match status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            kind = "requests"
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            kind = "server_error"
        case _:
            kind = "invalid_request_error"
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Answer(status=status, body=json.dumps(body).encode(), headers=headers or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Everything that is decided before the first request."""

    script: Script
    price: Price
    period_ms: float
    seed: int
    faults: Sequence[Fault | str]
    chunk_ms: float

    def __post_init__(self) -> None:
        if self.period_ms < 0 or self.chunk_ms < 0:
            raise ValueError("period_ms and chunk_ms are times of zero or more")


class ModelService:
    """Answers requests by a script, on a schedule, and keeps the bill."""

    def __init__(self, behaviour: Behaviour, *, clock: Clock) -> None:
        self.meter = Meter()
        self._behaviour = behaviour
        self._faults = read_faults(behaviour.faults)
        self._clock = clock

    async def handle(self, request: Request) -> Outgoing:
        """Answer one request; what the caller did wrong becomes an error answer."""
        arrived = self._clock.now()
        try:
            match request.method, request.path.split("/")[1:]:
                case "GET", ["meter"]:
                    return self._tell_meter(request.query)
                case "GET", [run, "v1", "models"] if RUN_NAME.fullmatch(run):
                    return self._list_models()
                case "POST", [run, "v1", "chat", "completions"] if RUN_NAME.fullmatch(run):
                    return await self._answer(run, _CHAT, request.body, arrived)
                case "POST", [run, "v1", "responses"] if RUN_NAME.fullmatch(run):
                    return await self._answer(run, _RESPONSES, request.body, arrived)
                case method, _:
                    return error(404, f"Invalid URL ({method} {request.path})", code="unknown_url")
        except BadRequestError as bad:
            return error(400, bad.message, param=bad.param, code=bad.code)

    async def _answer(self, run: str, dialect: _Dialect, body: bytes, arrived: float) -> Outgoing:
        asked = dialect.read_request(read_object(body))
        fingerprint = digest(asked.body)
        if not self.meter.has_room_for(run):
            return error(503, "The meter keeps no more runs.")
        so_far = self.meter.total(run)
        number = so_far.requests + 1
        spoiler, delay_s = faults_of(self._faults, run=run, call=number)
        first_at = arrived if so_far.first_at is None else so_far.first_at
        call = Call(
            at=arrived,
            due_at=first_at + number * self._behaviour.period_ms / 1000 + delay_s,
            body=fingerprint,
            fault=str(spoiler) if spoiler else None,
        )
        headers = {"x-request-id": f"req-{run}-{number}"}
        try:
            turn = number - so_far.spoilt_requests
            completion = self._complete(asked, turn=turn, number=number)
        except ScriptError as exc:
            self.meter.record(run, replace(call, fault="script_error"), None)
            headers["x-should-retry"] = "false"  # it would fail in the same way again
            return error(500, f"The script failed: {exc}.", code="script_error", headers=headers)
        self._bill(run, call, completion, spoiler)
        if (early_s := call.due_at - self._clock.now()) > 0:
            await self._clock.sleep(early_s)
        outgoing = self._render(dialect, asked, completion, number, headers)
        return outgoing if spoiler is None else spoil(outgoing, spoiler, headers)

    def _complete(self, asked: ModelRequest, *, turn: int, number: int) -> Completion:
        rng = seeded(self._behaviour.seed, turn)
        return complete(asked, self._behaviour.script(asked, turn, rng), call=number)

    def _bill(self, run: str, call: Call, completion: Completion, spoiler: Fault | None) -> None:
        if spoiler is not None and not spoiler.billed:
            self.meter.record(run, call, None)
            return
        price = self._behaviour.price.of(completion.tokens)
        self.meter.record(run, replace(call, billed_microcents=price), completion.tokens)

    def _render(
        self,
        dialect: _Dialect,
        asked: ModelRequest,
        completion: Completion,
        number: int,
        headers: Mapping[str, str],
    ) -> Answer | EventStream:
        if asked.stream:
            return EventStream(
                events=tuple(dialect.events(asked, completion, call=number)),
                headers=headers,
                pause_s=self._behaviour.chunk_ms / 1000,
            )
        document = dialect.document(asked, completion, call=number)
        return Answer(body=json.dumps(document).encode(), headers=headers)

    def _list_models(self) -> Answer:
        models = [
            {"id": name, "object": "model", "created": CREATED, "owned_by": "script"}
            for name in MODELS
        ]
        return Answer(body=json.dumps({"object": "list", "data": models}).encode())

    def _tell_meter(self, query: str) -> Answer:
        asked = parse_qs(query).get("calls", ["0"])[-1]
        if not re.fullmatch(r"[0-9]{1,9}", asked):
            raise BadRequestError("'calls' is how many calls of each run to list.", param="calls")
        runs = {run: asdict(self.meter.read(run, calls=int(asked))) for run in self.meter.runs()}
        return Answer(body=json.dumps({"now": self._clock.now(), "runs": runs}).encode())


def spoil(outgoing: Answer | EventStream, fault: Fault, headers: Mapping[str, str]) -> Outgoing:
    """Return what is sent in the place of a good answer."""
    match fault.kind:
        case FaultKind.STATUS:
            return _refusal(fault, headers)
        case FaultKind.DROP:
            return HangUp()
        case FaultKind.MALFORMED:
            return _malformed(outgoing)
        case FaultKind.CUT:
            return _cut(outgoing, fault.events)
        case FaultKind.DELAY:
            return outgoing  # it has waited already
        case _:
            assert_never(fault.kind)


def _refusal(fault: Fault, headers: Mapping[str, str]) -> Answer:
    message = f"The script answers {fault.status} to this call."
    if fault.status != HTTPStatus.TOO_MANY_REQUESTS:
        return error(fault.status, message, code="injected", headers=headers)
    wait = {
        "Retry-After": str(math.ceil(fault.retry_after_s)),
        "retry-after-ms": str(round(fault.retry_after_s * 1000)),
    }
    return error(429, message, code="rate_limit_exceeded", headers={**headers, **wait})


def _malformed(outgoing: Answer | EventStream) -> Outgoing:
    match outgoing:
        case Answer():
            return replace(outgoing, body=outgoing.body[: len(outgoing.body) // 2])
        case EventStream():
            first, second = outgoing.events[:2]
            return replace(outgoing, events=(first, second[: len(second) // 2] + b"\n\n"))
        case _:
            assert_never(outgoing)


def _cut(outgoing: Answer | EventStream, events: int) -> Outgoing:
    match outgoing:
        case Answer():
            return replace(outgoing, cut_to=len(outgoing.body) // 2)
        case EventStream():
            return replace(outgoing, cut_after=events)
        case _:
            assert_never(outgoing)
