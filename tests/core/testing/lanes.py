"""How the tests of the scripted model ask it things."""

import asyncio
import json
import random
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from runcycles.testing.model_server import (
    Clock,
    ModelRequest,
    ModelServer,
    Replies,
    Reply,
    ToolCall,
)

Json = dict[str, object]

ROME = ToolCall(name="weather", arguments={"city": "Rome", "days": 3})
OSLO = ToolCall(name="weather", arguments={"city": "Oslo"}, id="chosen")
LONG = "A sentence that needs more than one piece to be told."
TALKER = Replies([Reply(text=LONG), Reply(tool_calls=(ROME, OSLO))])
HELLO = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


class StandingClock(Clock):
    """A clock that moves only when somebody waits, and remembers for how long they did."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.time = now
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


class NoCallCameError(Exception):
    """A test waited for a call that never came."""


class Gate(Clock):
    """A clock whose waiting never ends by itself: calls stay unanswered until the server closes."""

    def __init__(self) -> None:
        self._reached = threading.Event()

    async def sleep(self, seconds: float) -> None:
        self._reached.set()
        await asyncio.Event().wait()

    def wait_for_a_call(self) -> None:
        if not self._reached.wait(5):
            raise NoCallCameError


def echo(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
    """Repeat what was said last."""
    return Reply(text=request.last.text)


def chat_body(*texts: str, **more: object) -> Json:
    messages = [{"role": "user", "content": text} for text in texts or ("hi",)]
    return {"model": "m", "messages": messages, **more}


def chat(server: ModelServer, run: str = "lane", *texts: str, **more: object) -> httpx.Response:
    return post(f"{server.url(run)}/chat/completions", chat_body(*texts, **more))


def respond(server: ModelServer, run: str = "lane", **body: object) -> httpx.Response:
    return post(f"{server.url(run)}/responses", {"model": "m", "input": "hi", **body})


def caller() -> httpx.Client:
    """Return a client that spends no time on certificates and proxies it does not need."""
    return httpx.Client(timeout=5, verify=False, trust_env=False)


def post(url: str, body: Mapping[str, object] | bytes) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with caller() as client:
        return client.post(url, content=content)


def get(url: str) -> httpx.Response:
    with caller() as client:
        return client.get(url)


def address(server: ModelServer) -> tuple[str, int]:
    """Return where a socket finds the server."""
    url = urlsplit(server.base_url)
    assert url.hostname is not None
    assert url.port is not None
    return url.hostname, url.port


def raw_post(path: str, body: bytes, *headers: str) -> bytes:
    """Return the bytes of a request."""
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


def said(response: httpx.Response) -> str:
    """Return the text of a whole Chat Completions answer."""
    text = response.json()["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


def events(response: httpx.Response) -> list[Json]:
    """Return what a stream carried, without the mark of its end."""
    data = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"]
