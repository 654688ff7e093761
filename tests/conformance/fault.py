"""A server with one fault, and the requirements that the fault breaks."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.conformance.tampering import Answered, Asked, Forward, Tamper


@dataclass(frozen=True, slots=True)
class Broken:
    """What is wrong with a server, and what must be found."""

    make: Callable[[], Tamper]
    caught_by: str

    @property
    def requirements(self) -> set[str]:
        return set(self.caught_by.split())


def answering(change: Callable[[Asked, Answered], Answered]) -> Callable[[], Tamper]:
    """A server whose answers are changed on their way out."""

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        return change(asked, await forward(asked))

    return lambda: tamper


def hearing(change: Callable[[Asked], Asked]) -> Callable[[], Tamper]:
    """A server that hears something else than was said."""

    async def tamper(asked: Asked, forward: Forward) -> Answered:
        return await forward(change(asked))

    return lambda: tamper


def always(tamper: Tamper) -> Callable[[], Tamper]:
    """A tamper that remembers nothing."""
    return lambda: tamper
