"""Waiting for another thread, from code that may have an event loop or none.

The store and the authority are written once, as coroutines. What such a coroutine waits for in
another thread it hands to whoever drives it: `finish` blocks, `finish_async` waits on the loop of
asyncio or trio. A coroutine that waits for nothing, as over the memory store, runs through at once.

A thread that is answering must not ask: it would wait for itself. That can happen, since Python may
run anybody's finalizer anywhere, and a finalizer may settle a guard.
"""

import asyncio
import threading
from collections.abc import Coroutine, Generator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

import anyio.to_thread

from runcycles.errors import StoreError

T = TypeVar("T")


class _Here(threading.local):
    """What this thread is doing right now."""

    is_answering = False


_here = _Here()


class Answering:
    """In here, this thread answers others.

    Raises on entering:
        StoreError: it is doing so already, and cannot begin another answer in between.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        if _here.is_answering:
            raise StoreError("a finalizer asked while the store was answering; nothing was changed")
        _here.is_answering = True

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        _here.is_answering = False


ANSWERING: Final = Answering()


class Pending(Generic[T]):
    """An answer that another thread is going to give."""

    __slots__ = ("_future",)

    def __init__(self, future: Future[T]) -> None:
        self._future = future

    def __await__(self) -> Generator[Future[T], None, T]:
        if not self._future.done():
            yield self._future
        return self._future.result()


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in this thread, which may block."""
    try:
        while True:
            _wait(coroutine.send(None))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        coroutine.close()


async def finish_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end without blocking the event loop, whichever library runs it."""
    try:
        while True:
            await _wait_async(coroutine.send(None))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        coroutine.close()


def _wait(future: Future[Any]) -> None:
    if _here.is_answering:
        raise StoreError("a finalizer asked while the store was answering; the answer is unknown")
    future.exception()


async def _wait_async(future: Future[Any]) -> None:
    try:
        loop = asyncio.get_running_loop()
    except (
        RuntimeError
    ):  # not asyncio, so trio, which has no cheaper way that needs no import of it
        await anyio.to_thread.run_sync(future.exception)
        return
    done = asyncio.Event()

    def wake(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    await done.wait()
