"""The model server as a value: open it around a test or a demo, ask its meter what was billed."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from runcycles.testing.model_server.clock import Clock
from runcycles.testing.model_server.connections import Answer, Connections, Limits
from runcycles.testing.model_server.faults import Fault
from runcycles.testing.model_server.meter import FLAT, Price, RunMeter
from runcycles.testing.model_server.scripts import Script
from runcycles.testing.model_server.service import Behaviour, ModelService, error

HOST = "127.0.0.1"  # never more than loopback: it asks nobody who they are
_START_S = 10.0
_STOP_S = 10.0


class ModelServer:
    """An OpenAI-compatible model on a loopback port, whose answers, pace and bill are scripted.

    Each run (a lane of a demo, an agent of a test) has its own path, its own count of calls, its
    own schedule and its own bill. Call k of a run is answered no earlier than k periods after that
    run's first request arrived; a call that comes late is answered at once.

    Args:
        script: what the model answers.
        price: what a call costs in microcents; one cent a call by default.
        period_ms: milliseconds from one answer of a run to the next, at least.
        seed: where the script's random numbers begin, for every run alike.
        faults: what goes wrong, see `Fault`; `"429@3"` is short for `Fault.parse("429@3")`.
        chunk_ms: milliseconds between two events of a stream.
        port: 0 finds a free one.
        limits: what one caller may take.
        clock: the machine's own, unless a test hands in another.
    """

    def __init__(
        self,
        script: Script,
        *,
        price: Price = FLAT,
        period_ms: float = 0.0,
        seed: int = 4782,
        faults: Sequence[Fault | str] = (),
        chunk_ms: float = 0.0,
        port: int = 0,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        clock: Clock | None = None,
    ) -> None:
        behaviour = Behaviour(
            script=script,
            price=price,
            period_ms=period_ms,
            seed=seed,
            faults=faults,
            chunk_ms=chunk_ms,
        )
        self._clock = clock or Clock()
        self._service = ModelService(behaviour, clock=self._clock)
        self._limits = limits
        self._port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    @property
    def base_url(self) -> str:
        """The server's address without a run, such as `http://127.0.0.1:40123`.

        Raises:
            RuntimeError: the server has not been started.
        """
        if self._loop is None:
            raise RuntimeError("the model server has not been started")
        return f"http://{HOST}:{self._port}"

    def url(self, run: str) -> str:
        """Return the `base_url` that an OpenAI client of this run is given."""
        return f"{self.base_url}/{run}/v1"

    def meter(self, run: str) -> RunMeter:
        """Return the bill of a run; all zeros for a run that has asked nothing."""
        return self._service.meter.read(run)

    def runs(self) -> tuple[str, ...]:
        """Return the names of all runs, in the order of their first requests."""
        return self._service.meter.runs()

    def start(self) -> Self:
        """Serve from a thread of its own; returns once requests are accepted.

        Raises:
            OSError: the port is taken.
            OverflowError: the port is no port.
            RuntimeError: the server was started before.
        """
        if self._thread is not None:
            raise RuntimeError("a model server starts once")
        started: Future[int] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(started)), name="model-server", daemon=True
        )
        self._thread.start()
        self._port = started.result(timeout=_START_S)
        return self

    def close(self) -> None:
        """End every connection and the thread; the meter may still be read.

        Closing twice is as good as once.

        Raises:
            RuntimeError: the thread did not end in ten seconds, because a script does not return.
        """
        if self._thread is None or self._loop is None or not self._thread.is_alive():
            return
        with contextlib.suppress(RuntimeError):  # the loop has closed in this very moment
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=_STOP_S)
        if self._thread.is_alive():
            raise RuntimeError("the model server did not stop; does its script return?")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def _serve(self, started: "Future[int]") -> None:
        connections = Connections(
            self._service.handle, refuse=_refuse, limits=self._limits, clock=self._clock
        )
        try:
            listener = await asyncio.start_server(
                connections.accept, HOST, self._port, limit=self._limits.header_bytes, backlog=256
            )
        except (OSError, OverflowError) as exc:
            started.set_exception(exc)
            return
        self._loop = asyncio.get_running_loop()
        started.set_result(listener.sockets[0].getsockname()[1])
        await self._stop.wait()
        listener.close()
        await connections.close()


def _refuse(status: int, message: str) -> Answer:
    return error(status, message)
