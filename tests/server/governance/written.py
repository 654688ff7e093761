"""A store that shows what was written to it, and fails when it is told to."""

from typing import Any, TypeVar

from runcycles.errors import StoreError
from runcycles.ledger.state import Key, Need, Outcome, Snapshot, Transition
from runcycles.testing import FakeClock
from runcycles_server.records import AuditEntry
from runcycles_server.stores.memory import MemoryStore

T = TypeVar("T")


class ShownStore(MemoryStore):
    """Keeps what the memory store keeps, and a list of it in the order in which it came.

    After `fails_after` more transactions it takes none.
    """

    def __init__(self) -> None:
        super().__init__(FakeClock().now_ms)
        self.written: list[Any] = []
        self.fails_after: int | None = None

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        changes: list[Any] = []
        if self.fails_after is not None:
            self.fails_after -= 1
            if self.fails_after < 0:
                raise StoreError("the disk is gone")

        def shown(snapshot: Snapshot) -> Outcome[T] | Need:
            outcome = transition(snapshot)
            changes[:] = outcome.changes if isinstance(outcome, Outcome) else ()
            return outcome

        reply = await super().transact(footprint, shown)
        self.written += changes
        return reply

    @property
    def entries(self) -> list[AuditEntry]:
        """The audit log, the oldest first."""
        return [record for record in self.written if isinstance(record, AuditEntry)]
