"""Streams pass through, and the call they belong to is settled when they end, however they end."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def settled(
    items: Iterable[T], take: Callable[[T], object], settle: Callable[[BaseException | None], None]
) -> Generator[T, None, None]:
    """The items; `take` sees each before the consumer does, `settle` what left the stream.

    A consumer that stops early closes the stream first, so that what it says on its way counts.
    """
    try:
        for item in items:
            take(item)
            yield item
    except BaseException as error:
        close: Any = getattr(items, "close", None)
        if close is not None:
            close()
        settle(error)
        raise
    settle(None)


async def settled_async(
    items: AsyncIterable[T],
    take: Callable[[T], object],
    settle: Callable[[BaseException | None], Awaitable[None]],
) -> AsyncGenerator[T, None]:
    """`settled` for async code."""
    try:
        async for item in items:
            take(item)
            yield item
    except BaseException as error:
        aclose: Any = getattr(items, "aclose", None)
        if aclose is not None:
            await aclose()
        await settle(error)
        raise
    await settle(None)
