"""When a batch closes, and where it runs: on the event loop itself, or in a thread of its own.

Inline is for a server that owns its loop. It is the one place where our code blocks the loop, for
one commit, and it pays: a hand-over between threads costs more than the commit of a full batch. In
somebody else's loop, or where there is none, the thread does the same work.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final, Protocol, TypeVar

from runcycles.errors import StoreError, StoreOverloadedError
from runcycles.ledger.state import Key, Transition
from runcycles_server.stores.sqlite.batch import Asked, BatchRunner
from runcycles_server.stores.waiting import ANSWERING, Pending

T = TypeVar("T")

MAX_BATCH: Final = 512
"""More than this gains nothing per request and makes all of them wait."""
MAX_WAIT_S: Final = 0.005
"""A batch that grows with every turn of the loop is closed after this.

Under 200 connections it would be cut at 30 requests after 2 ms; at 5 ms it holds 150 of them, and
a tenth more are answered in a second.
"""
MAX_WAITING: Final = 20_000
"""Requests that may wait for the disk; beyond them the answer comes too late for anyone."""


class Writer(Protocol):
    """Takes transitions and runs them in batches."""

    @property
    def waiting(self) -> int:
        """How many wait for the next batch."""
        ...

    def submit(self, footprint: tuple[Key, ...], transition: Transition[T]) -> Awaitable[T]:
        """The transition's reply, once its batch is durable."""
        ...

    def call(self, work: Callable[[], T]) -> Awaitable[T]:
        """The result of other work that needs the writing connection, run between batches."""
        ...

    def stop(self) -> Awaitable[None]:
        """Finish what waits, then take nothing more."""
        ...


class InlineWriter:
    """Runs its batches on the event loop it was made in."""

    def __init__(self, runner: BatchRunner) -> None:
        self._runner = runner
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Asked] = []
        self._seen = 0
        self._closes_at = 0.0

    def submit(self, footprint: tuple[Key, ...], transition: Transition[T]) -> Awaitable[T]:
        """Add to the batch; it closes after one whole turn of the loop that brought nothing."""
        _refuse_if_too_many(len(self._waiting))
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(Asked(footprint, transition, future))
        if len(self._waiting) == 1:
            self._seen = 0
            self._closes_at = self._loop.time() + MAX_WAIT_S
            self._loop.call_soon(self._turn)
        return future

    @property
    def waiting(self) -> int:
        """How many wait for the next batch."""
        return len(self._waiting)

    async def call(self, work: Callable[[], T]) -> T:
        """Between batches is always, on the loop."""
        return work()

    async def stop(self) -> None:
        """Run what waits."""
        self._run()

    def _turn(self) -> None:
        count = len(self._waiting)
        if self._seen < count < MAX_BATCH and self._loop.time() < self._closes_at:
            self._seen = count
            self._loop.call_soon(self._turn)
        else:
            self._run()

    def _run(self) -> None:
        batch = [asked for asked in self._waiting if not asked.future.cancelled()]
        self._waiting = []
        _run_and_resolve(self._runner, batch)


class ThreadWriter:
    """Runs its batches in a thread; while one is written, the next one gathers."""

    def __init__(self, runner: BatchRunner) -> None:
        self._runner = runner
        self._queue: SimpleQueue[Asked | Callable[[], None]] = SimpleQueue()
        self._lock = Lock()
        self._stopping = False
        self._process = os.getpid()
        # A daemon, since the interpreter joins the others before anyone could stop this one.
        self._thread = Thread(target=self._work, name="cycles-writer", daemon=True)
        self._thread.start()

    def submit(self, footprint: tuple[Key, ...], transition: Transition[T]) -> Awaitable[T]:
        """Hand the transition to the thread."""
        future: Future[T] = Future()
        self._put(Asked(footprint, transition, future))
        return Pending(future)

    @property
    def waiting(self) -> int:
        """How many wait for the next batch."""
        return self._queue.qsize()

    def call(self, work: Callable[[], T]) -> Awaitable[T]:
        """Have the thread do it between two batches."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except Exception as problem:  # noqa: BLE001 - it belongs to whoever waits
                future.set_exception(problem)

        self._put(run)
        return Pending(future)

    def stop(self) -> Awaitable[None]:
        """Let the thread finish what waits, and end it."""
        future: Future[None] = Future()
        self._put(lambda: future.set_result(None), last=True)
        return Pending(future)

    def _put(self, item: Asked | Callable[[], None], *, last: bool = False) -> None:
        if self._process != os.getpid():
            raise StoreError("a store does not survive a fork: open it in the new process")
        with self._lock:  # nothing may come behind the last item, for nobody would answer it
            if self._stopping:
                raise StoreError("the store is closed")
            _refuse_if_too_many(self._queue.qsize())
            self._stopping = last
            self._queue.put(item)

    def _work(self) -> None:
        with ANSWERING:
            try:
                self._answer()
            finally:
                self._give_up()

    def _give_up(self) -> None:
        """Tell whoever came too late; nobody waits for a thread that has ended."""
        with self._lock:
            self._stopping = True
        while not self._queue.empty():
            item = self._queue.get()
            if isinstance(item, Asked):
                item.error = StoreError("the store is closed")
                item.resolve()
            else:
                item()

    def _answer(self) -> None:
        while not (self._stopping and self._queue.empty()):
            items = [self._queue.get()]
            while len(items) < MAX_BATCH and not self._queue.empty():
                items.append(self._queue.get())
            batch = [item for item in items if isinstance(item, Asked)]
            _run_and_resolve(self._runner, [asked for asked in batch if _is_wanted(asked)])
            for item in items:
                if not isinstance(item, Asked):
                    item()


def _refuse_if_too_many(waiting: int) -> None:
    if waiting >= MAX_WAITING:
        raise StoreOverloadedError(f"{waiting} requests wait for the disk already; try later")


def _is_wanted(asked: Asked) -> bool:
    """Whether its caller still waits; from now on it can no longer go away."""
    wanted: bool = asked.future.set_running_or_notify_cancel()
    return wanted


def _run_and_resolve(runner: BatchRunner, batch: list[Asked]) -> None:
    """Run a batch, then let everybody know; whatever interrupts it, nobody waits for ever."""
    if not batch:
        return
    try:
        runner.run(batch)
    except BaseException:
        for asked in batch:
            asked.error = StoreError("the server was interrupted; nothing was changed")
        raise
    finally:
        for asked in batch:
            asked.resolve()
