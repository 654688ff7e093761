"""A clock that stands still until it is told to move."""

from typing import Final

SOME_DAY_MS: Final = 1_800_000_000_000
"""2027-01-15T08:00:00Z. Any moment would do; a fixed one makes failures repeat."""


class FakeClock:
    """Time for tests: epoch ms for authorities, monotonic seconds for clients, one movement."""

    def __init__(self, *, now_ms: int = SOME_DAY_MS) -> None:
        self._started_ms = now_ms
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """This moment, in epoch ms."""
        return self._now_ms

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return (self._now_ms - self._started_ms) / 1_000

    def advance(self, ms: int) -> None:
        """Let time pass.

        Raises:
            ValueError: for a step back; time does not.
        """
        if ms < 0:
            raise ValueError(f"time cannot go back by {-ms} ms")
        self._now_ms += ms
