"""Records that stay in memory between batches; one process writes, so they cannot grow stale.

There are two generations. A record enters the young one and, when it is asked for again, enters it
anew. A full young generation becomes the old one, and what was old is dropped. So what every
decision asks for stays, however many records pass by that are asked for once or twice.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from runcycles.ledger.state import Key

UNKNOWN: Final = object()
"""Says that a key was not looked up; None says that there is nothing under it."""


class Cache:
    """At most `most` records, and those that were asked for lately in any case."""

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._young: dict[Key, Any] = {}
        self._old: dict[Key, Any] = {}

    def find(self, key: Key) -> Any:
        """The record under a key, None where there is none, or UNKNOWN."""
        found = self._young.get(key, UNKNOWN)
        if found is UNKNOWN:
            found = self._old.get(key, UNKNOWN)
            if found is not UNKNOWN:
                self.keep({key: found})
        return found

    def keep(self, records: Mapping[Key, Any]) -> None:
        """Have these at hand from now on."""
        if len(self._young) + len(records) > self._half:
            self._old, self._young = self._young, {}
        self._young.update(records)

    def drop(self, keys: Iterable[Key]) -> None:
        """These are no longer there."""
        for key in keys:
            self._young.pop(key, None)
            self._old.pop(key, None)

    def clear(self) -> None:
        """Know nothing."""
        self._young, self._old = {}, {}
