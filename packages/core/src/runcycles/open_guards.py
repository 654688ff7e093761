"""For frameworks whose start and end are separate callbacks: a bounded map from run id to call.

A framework may lose an end (a cancelled sibling, a batch that failed half-way), so the map can be
emptied for a whole run, and it refuses to grow without limit rather than leak.
"""

from collections.abc import Hashable
from threading import Lock
from typing import Final, Generic, TypeVar

from runcycles.errors import CyclesError

S = TypeVar("S")

MAX_OPEN: Final = 10_000
"""More calls at once than any one process makes; reaching it means that ends get lost."""


class OpenGuards(Generic[S]):
    """Calls that have started and not ended, by the framework's id of the call.

    Safe to use from several threads. `run` groups calls, so that the end of a run can take what
    its calls left behind.
    """

    def __init__(self, limit: int = MAX_OPEN) -> None:
        self._limit = limit
        self._lock = Lock()
        self._open: dict[Hashable, tuple[Hashable, S]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def check_room(self) -> None:
        """Raise before a call is reserved that could not be kept.

        Raises:
            CyclesError: too many calls are open.
        """
        if len(self._open) >= self._limit:
            raise CyclesError(
                f"{self._limit} calls are open and none has ended; the framework seems to lose "
                "the ends of calls, so no further one is started"
            )

    def add(self, call: Hashable, spend: S, *, run: Hashable = None) -> None:
        """Keep a call until it ends; a second one under the same id is an error."""
        with self._lock:
            if call in self._open:
                raise CyclesError(f"the call {call} was started twice")
            self._open[call] = (run, spend)

    def take(self, call: Hashable) -> S | None:
        """The call under this id, which is gone from here then; None where there is none."""
        with self._lock:
            found = self._open.pop(call, None)
        return None if found is None else found[1]

    def take_run(self, run: Hashable) -> list[S]:
        """Every call that a run left open, in the order they started."""
        with self._lock:
            calls = [call for call, (owner, _) in self._open.items() if owner == run]
            return [self._open.pop(call)[1] for call in calls]
