"""A store whose whole content a test can see."""

from typing import Any, TypeVar

from runcycles.ledger.state import Key, Need, Outcome, Record, Snapshot, Transition
from runcycles_server.stores import Store

T = TypeVar("T")

LOGS = ("audit", "decision")
"""Kinds of records that say what was asked, refusals among it; nothing is decided by them."""


class WatchedStore:
    """Any store, with everything that was ever kept in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kept: dict[Key, Record] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        """Run the transition, and remember what the store keeps of it."""
        last: list[Outcome[T] | Need] = []

        def watched(snapshot: Snapshot) -> Outcome[T] | Need:
            last[:] = [transition(snapshot)]
            return last[0]

        reply = await self.store.transact(footprint, watched)
        (outcome,) = last
        assert isinstance(outcome, Outcome)
        self.kept.update((record.key, record) for record in outcome.changes)
        return reply

    async def put(self, *records: Record) -> None:
        """Keep records as they are, as if they had always been there."""
        await self.transact((), lambda _snapshot: Outcome(None, records))

    def ledger(self) -> dict[Key, Record]:
        """Everything that decides anything, by its key."""
        return {key: record for key, record in self.kept.items() if key[0] not in LOGS}
