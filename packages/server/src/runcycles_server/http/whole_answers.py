"""An answer that is there as a whole leaves in one write.

uvicorn writes a head and its body one after the other, and looks through every header for what
cannot stand in one. For answers as short as ours that is a third of what it takes to send them.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

Header = tuple[bytes, bytes]
Sender = Callable[[int, Sequence[Header], bytes], bool]
"""Sends an answer whole; False where it has to go the ordinary way, and nothing was sent."""

_NAME: Final = "runcycles.whole_answer"


def offer(cycle: RequestResponseCycle) -> None:
    """Let whoever answers this request do so in one write."""
    scope: Any = cycle.scope
    scope[_NAME] = partial(_send, cycle)


def taken(scope: Scope) -> Sender | None:
    """The way to send a whole answer, where the server under the application has one.

    It does not stay in the scope, which belongs to what it sends with: that circle would wait for
    the garbage collector, once a request.
    """
    sender: Sender | None = scope.pop(_NAME, None)
    return sender


def _send(cycle: RequestResponseCycle, status: int, headers: Sequence[Header], body: bytes) -> bool:
    if (
        cycle.disconnected
        or cycle.flow.write_paused
        or not cycle.keep_alive
        or cycle.scope["method"] == "HEAD"
    ):
        return False
    parts = [STATUS_LINE[status]]
    for name, value in (*cycle.default_headers, *headers):
        parts += (name, b": ", value, b"\r\n")
    parts += (b"\r\n", body)
    answer = b"".join(parts)
    lines = len(parts) // 4 + 2  # the status, a line a header, and an empty one
    if answer.count(b"\n", 0, len(answer) - len(body)) != lines:
        return False  # something in a header would end it
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(answer)
    cycle.response_complete = True
    cycle.message_event.set()
    cycle.on_response()
    return True
