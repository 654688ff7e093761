"""The process around a server: its event loop, its logs, its garbage collector."""

import asyncio
import gc
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import typer

from runcycles_server.http.serving import Running, nothing, serve
from runcycles_server.settings import Settings

_GC_THRESHOLDS: Final = (10_000, 1_000, 100)
"""A request leaves no circle behind, so collecting finds little, and everybody waits for it.

The young are few enough to be looked through in some milliseconds; the records in the store's
cache, which are no longer young, are left alone for minutes.
"""


def run_server(
    settings: Settings,
    *,
    announce: Callable[[Running], str],
    prepare: Callable[[Running], Awaitable[None]] = nothing,
) -> None:
    """Serve until a signal says stop; what `announce` says goes to standard output once it serves.

    Raises:
        CyclesError: it could not start.
    """

    def started(running: Running) -> None:
        typer.echo(announce(running))
        sys.stdout.flush()
        _spare_the_collector()

    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(settings, on_started=started, prepare=prepare))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - it has no Windows build
    except ImportError:  # pragma: no cover - only on Windows
        return None
    return uvloop.new_event_loop


def _spare_the_collector() -> None:
    """What was made at the start lives as long as the process; do not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
