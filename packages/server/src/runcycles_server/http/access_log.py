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
from json import dumps
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TextIO

from runcycles_server.http.exchange import Exchange
from runcycles_server.settings import STDERR, StartError

LOGGER_NAME: Final = "runcycles.access"


class AccessLog:
    """Writes to the logger `runcycles.access`."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER_NAME)

    def write(self, exchange: Exchange) -> None:
        """Log one answered request."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        line = dumps(_entry(exchange), separators=(",", ":"))
        self._logger.handle(logging.LogRecord(LOGGER_NAME, logging.INFO, "", 0, line, None, None))


def _entry(exchange: Exchange) -> dict[str, Any]:
    known = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request_id": exchange.request_id,
        "trace_id": exchange.trace_id,
        "method": exchange.scope["method"],
        "path": exchange.template or exchange.path,
        "status": exchange.status,
        "duration_ms": round((perf_counter() - exchange.started) * 1000, 3),
        "tenant": exchange.caller.tenant,
        "key_id": exchange.caller.key_id,
        "decision": exchange.decision,
        "reason": exchange.reason,
        "error": exchange.error_code,
        "reservation_id": exchange.reservation_id,
        "replayed": exchange.replayed,
    }
    return {name: value for name, value in known.items() if value is not None}


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
