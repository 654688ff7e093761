"""Which check proves which requirement; nothing else is ever passed.

A check asks and looks at what comes back. A watch looks at every answer of the whole run, whoever
asked.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from runcycles_server.conformance.client import Answer
from runcycles_server.conformance.setups import PLAIN, Setup
from runcycles_server.conformance.stand import Stand

Run = Callable[[Stand], Awaitable[None]]
Look = Callable[[Answer], Iterable[str] | None]
"""What is wrong with an answer; None where it is none of this watch's business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A scenario on a stand of its own."""

    requirement: str
    run: Run
    setup: Setup = PLAIN
    is_slow: bool = False
    """Whether it waits for time to pass; these start first, so that the others pass meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Looks at every answer."""

    requirement: str
    look: Look


class Topic:
    """The checks of one module, in the order in which they stand there."""

    def __init__(self) -> None:
        self._checks: list[Check | Watch] = []

    def check(
        self, requirement: str, setup: Setup = PLAIN, *, slow: bool = False
    ) -> Callable[[Run], Run]:
        """Register a scenario."""

        def register(run: Run) -> Run:
            self._checks.append(Check(requirement=requirement, run=run, setup=setup, is_slow=slow))
            return run

        return register

    def watch(self, requirement: str) -> Callable[[Look], Look]:
        """Register a look at every answer."""

        def register(look: Look) -> Look:
            self._checks.append(Watch(requirement=requirement, look=look))
            return look

        return register

    @property
    def checks(self) -> tuple[Check | Watch, ...]:
        """What was registered."""
        return tuple(self._checks)
