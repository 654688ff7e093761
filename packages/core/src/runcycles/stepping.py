"""A guard around a generator: its reservation is the current one only while its code runs.

Everything sent and thrown is passed on. Leaving early closes the generator first, so that what it
records on its way out still counts.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from functools import partial
from typing import Any, TypeVar

from runcycles.guard import AsyncGuard, Guard
from runcycles.spend import enter, leave

R = TypeVar("R")


Arguments = tuple[Any, ...]


def around_generator(
    function: Callable[..., Generator[Any, Any, Any]],
    guard_of: Callable[[Arguments, dict[str, Any]], Guard],
    returned: Callable[[Guard, Any], None],
) -> Callable[..., Generator[Any, Any, Any]]:
    """A generator function whose runs are guarded."""

    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        guard = guard_of(args, kwargs).open()
        try:
            result = yield from _steps(guard, generator)
            returned(guard, result)
        except BaseException as error:
            guard.settle(error)
            raise
        guard.settle()
        return result

    return guarded


def _steps(guard: Guard, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    resume: Callable[[], Any] = partial(next, generator)
    while True:
        try:
            item = _step(guard, resume)
        except StopIteration as finished:
            return finished.value
        try:
            sent = yield item
        except GeneratorExit:
            _step(guard, generator.close)
            raise
        except BaseException as thrown:  # noqa: BLE001 - it is the generator's to handle
            resume = partial(generator.throw, thrown)
        else:
            resume = partial(generator.send, sent)


def _step(guard: Guard, resume: Callable[[], R]) -> R:
    token = enter(guard)
    try:
        return resume()
    finally:
        leave(token)


def around_async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]],
    guard_of: Callable[[Arguments, dict[str, Any]], AsyncGuard],
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """An async generator function whose runs are guarded."""

    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        guard = await guard_of(args, kwargs).open()
        resume: Callable[[], Awaitable[Any]] = generator.__anext__
        try:
            while True:
                try:
                    item = await _async_step(guard, resume)
                except StopAsyncIteration:
                    break
                try:
                    sent = yield item
                except GeneratorExit:
                    await _async_step(guard, generator.aclose)
                    raise
                except BaseException as thrown:  # noqa: BLE001 - it is the generator's to handle
                    resume = partial(generator.athrow, thrown)
                else:
                    resume = partial(generator.asend, sent)
        except BaseException as error:
            await guard.settle(error)
            raise
        await guard.settle()

    return guarded


async def _async_step(guard: AsyncGuard, resume: Callable[[], Awaitable[R]]) -> R:
    token = enter(guard)
    try:
        return await resume()
    finally:
        leave(token)
