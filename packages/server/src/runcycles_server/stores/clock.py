"""The time of a store: it may stand still, it never goes back."""

from collections.abc import Callable
from threading import Lock


class MonotonicClock:
    """Follows another clock forwards only, from a moment that was remembered on."""

    def __init__(self, clock_ms: Callable[[], int], *, at_least_ms: int = 0) -> None:
        self._clock_ms = clock_ms
        self._now_ms = at_least_ms
        self._lock = Lock()

    def now_ms(self) -> int:
        """This moment in epoch ms; never earlier than any answer before, in whichever thread."""
        with self._lock:
            self._now_ms = max(self._now_ms, self._clock_ms())
            return self._now_ms
