"""The dict store: the smallest thing that keeps outcomes.

Used by the server's memory store and by `runcycles.testing`. Not thread-safe; callers that share
it between threads hold a lock.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from runcycles.ledger.state import (
    MAX_NEEDS,
    Key,
    Outcome,
    Record,
    Reservation,
    Snapshot,
    Transition,
)
from runcycles.types import ReservationStatus

T = TypeVar("T")
R = TypeVar("R")


class DictStore:
    """Records in a dict; `now_ms` never goes back even where the given clock does."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._now_ms = 0
        self.records: dict[Key, Any] = {}

    def now_ms(self) -> int:
        """This moment in epoch ms; never earlier than the last answer."""
        self._now_ms = max(self._now_ms, self._clock_ms())
        return self._now_ms

    def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        """Run the transition on the records of its footprint and keep its outcome."""
        now_ms, records = self.now_ms(), self.records
        loaded = {key: records.get(key) for key in footprint}
        for _ in range(MAX_NEEDS):
            outcome = transition(Snapshot(now_ms, loaded))
            if isinstance(outcome, Outcome):
                for record in outcome.changes:
                    self.keep(record)
                return outcome.reply
            for key in outcome.keys:
                loaded[key] = records.get(key)
        raise AssertionError(f"a transition asked for more records {MAX_NEEDS} times in a row")

    def keep(self, record: Record) -> None:
        """Put a record in the place of what was there under its key."""
        self.records[record.key] = record

    def of_kind(self, kind: type[R]) -> Iterator[R]:
        """Every record of a type, in the order they were first kept."""
        return (record for record in self.records.values() if isinstance(record, kind))

    def due(self, limit: int) -> list[str]:
        """Ids of ACTIVE reservations whose grace is over, the longest overdue first."""
        now_ms = self.now_ms()
        overdue = [
            reservation
            for reservation in self.of_kind(Reservation)
            if reservation.status is ReservationStatus.ACTIVE
            and reservation.settles_until_ms < now_ms
        ]
        overdue.sort(key=lambda reservation: reservation.settles_until_ms)
        return [reservation.reservation_id for reservation in overdue[:limit]]
