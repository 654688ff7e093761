"""A pace that nobody exceeds for long: so many at once, and then one at a time."""

from typing import Final

MAX_SOURCES: Final = 10_000
"""Sources whose pace is known, half a megabyte; when there are more, all start anew."""


class Throttle:
    """Lets each source do something `burst` times at once, and then once every `every_ms`."""

    def __init__(self, *, burst: int, every_ms: int) -> None:
        self._every_ms = every_ms
        self._ahead_ms = burst * every_ms
        self._next_ms: dict[str | None, int] = {}

    def admits(self, source: str | None, now_ms: int) -> bool:
        """Whether this source may once more."""
        if self.wait_ms(source, now_ms):
            return False
        if len(self._next_ms) >= MAX_SOURCES:
            self._next_ms.clear()
        self._next_ms[source] = self._following_ms(source, now_ms)
        return True

    def wait_ms(self, source: str | None, now_ms: int) -> int:
        """How long it takes until this source may once more."""
        return max(0, self._following_ms(source, now_ms) - now_ms - self._ahead_ms)

    def give_back(self, source: str | None) -> None:
        """What this source was let do last does not count."""
        if source in self._next_ms:
            self._next_ms[source] -= self._every_ms

    def _following_ms(self, source: str | None, now_ms: int) -> int:
        return max(self._next_ms.get(source, 0), now_ms) + self._every_ms
