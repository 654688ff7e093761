"""An event loop whose time is made up: nobody waits, and the same seed takes the same steps.

It never looks at the machine's clock or at a socket. Where every task waits for a moment, that
moment is now; so hours pass in milliseconds, and what happens first depends on the seed alone.
"""

import asyncio
from selectors import SelectorKey, SelectSelector


class StuckError(Exception):
    """Every task waits for something that nothing is going to bring about."""


class _Instantly(SelectSelector):
    """Waits by moving the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None:
            raise StuckError("nothing will ever happen again")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop that is as fast as its callbacks."""

    def __init__(self) -> None:
        self._instantly = _Instantly()
        super().__init__(self._instantly)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._instantly.now

    def _write_to_self(self) -> None:
        """Nobody sleeps in `select`, so nobody has to be woken."""
