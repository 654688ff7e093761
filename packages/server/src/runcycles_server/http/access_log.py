"""One line of JSON per request: who asked what, and what was decided. Never a key.

Every request pays for its line, so it is put together by hand, and the lines of one turn of the
event loop leave in one write.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from time import perf_counter, time
from typing import TextIO

from runcycles_server.http.exchange import Exchange
from runcycles_server.settings import STDERR, StartError

logger = logging.getLogger("runcycles.server")


class AccessLog:
    """Writes to a stream, from one event loop.

    Lines that the stream does not take are lost: a full disk is no reason to answer nobody.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_failing = False
        self._lines: list[str] = []
        self._second, self._second_text = 0, ""

    def write(self, exchange: Exchange) -> None:
        """Log one answered request, at the end of this turn of the event loop."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(_line(exchange, self._moment(time())))

    def flush(self) -> None:
        """Write what was kept."""
        if self._lines:
            lines, self._lines = self._lines, []
            try:
                self._stream.write("".join(lines))
                self._stream.flush()
            except OSError as problem:
                if not self._is_failing:
                    logger.warning(
                        "the access log cannot be written (%s); requests are answered without it",
                        problem.strerror,
                    )
                self._is_failing = True
            else:
                self._is_failing = False

    def _moment(self, now: float) -> str:
        """A moment in ISO 8601; what the requests of one second share is made once."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._second_text}.{int((now - second) * 1000):03}Z"


def _line(exchange: Exchange, moment: str) -> str:
    """The line, put together by hand: an encoder would take longer than all the rest."""
    duration_ms = (perf_counter() - exchange.started) * 1000
    parts = [
        f'{{"time":"{moment}","request_id":"{exchange.request_id}"',
        f',"trace_id":"{exchange.trace_id}","method":{quoted(exchange.scope["method"])}',
        f',"path":{quoted(exchange.template or exchange.path)}',
        f',"status":{exchange.status or "null"},"duration_ms":{duration_ms:.3f}',
    ]
    for name, text in (
        ("tenant", exchange.caller.tenant),
        ("key_id", exchange.caller.key_id),
        ("decision", exchange.decision),
        ("reason", exchange.reason),
        ("error", exchange.error_code),
        ("reservation_id", exchange.reservation_id),
    ):
        if text is not None:
            parts.append(f',"{name}":{quoted(text)}')
    parts.append(',"replayed":true}\n' if exchange.replayed else "}\n")
    return "".join(parts)


@contextlib.contextmanager
def access_log_to(target: str | None) -> Iterator[AccessLog | None]:
    """An access log to a file, to standard error for `-`, or none at all.

    Raises:
        StartError: where the file cannot be written.
    """
    if target is None:
        yield None
        return
    stream = _opened(target)
    log = AccessLog(stream)
    try:
        yield log
    finally:
        log.flush()
        if target != STDERR:
            with contextlib.suppress(OSError):  # of what was not taken some may still be there
                stream.close()


def _opened(target: str) -> TextIO:
    if target == STDERR:
        return sys.stderr
    try:
        return Path(target).open("a", encoding="utf-8")
    except OSError as problem:
        raise StartError(f"cannot write the access log to {target}: {problem}") from problem
