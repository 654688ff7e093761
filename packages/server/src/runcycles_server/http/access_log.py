"""One line of JSON per request: who asked what, and what was decided. Never a key.

Every request pays for its line: the record is made without the stack walk of an ordinary logging
call, and the lines of one turn of the event loop leave in one write.
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
from typing import Final, TextIO

from runcycles_server.http.exchange import Exchange
from runcycles_server.settings import STDERR, StartError

LOGGER_NAME: Final = "runcycles.access"


class AccessRecord(logging.LogRecord):
    """A record that does not ask who its thread, task and process are; nobody prints that here."""

    def __init__(self, line: str, created: float) -> None:
        self.__dict__.update(_CONSTANT, msg=line, created=created, msecs=created % 1 * 1000)


_CONSTANT: Final = {
    **logging.LogRecord(LOGGER_NAME, logging.INFO, "", 0, "", None, None).__dict__,
    "args": None,
}


class AccessLog:
    """Writes to the logger `runcycles.access`."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER_NAME)
        self._second, self._second_text = 0, ""

    def write(self, exchange: Exchange) -> None:
        """Log one answered request."""
        if self._logger.isEnabledFor(logging.INFO):
            now = time()
            self._logger.handle(AccessRecord(_line(exchange, self._moment(now)), now))

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
    parts.append(',"replayed":true}' if exchange.replayed else "}")
    return "".join(parts)


class LineHandler(logging.Handler):
    """Writes the lines of one turn of the event loop together."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line for the end of this turn."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(record.getMessage())

    def flush(self) -> None:
        """Write what was kept."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()


@contextlib.contextmanager
def access_log_to(target: str | None) -> Iterator[None]:
    """Send the access log to a file, `-` for standard error; None leaves logging as it is.

    Raises:
        StartError: where the file cannot be written.
    """
    if target is None:
        yield
        return
    with _opened(target) as stream:
        logger, handler = logging.getLogger(LOGGER_NAME), LineHandler(stream)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            handler.flush()


def _opened(target: str) -> contextlib.AbstractContextManager[TextIO]:
    if target == STDERR:
        return contextlib.nullcontext(sys.stderr)
    try:
        return Path(target).open("a", encoding="utf-8")
    except OSError as problem:
        raise StartError(f"cannot write the access log to {target}: {problem}") from problem
