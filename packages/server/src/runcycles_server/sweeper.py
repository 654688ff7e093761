"""Gives back what overdue reservations hold, and forgets what was kept long enough.

Work comes in bounded batches with a pause for everybody else in between, so a large backlog never
stands in the way of a decision.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, TypeVar

from runcycles.errors import StoreCorruptError
from runcycles.ledger.apply import Plan, expiry
from runcycles.ledger.state import Key, Need, Outcome, Record, Snapshot
from runcycles_server.stores.base import Store

INTERVAL_S: Final = 5.0
"""The pace of the reference server; an overdue hold blocks its budget no longer than this."""
EXPIRE_BATCH: Final = 100
"""Expiries decided together, in one commit of the store."""
PURGE_BATCH: Final = 500
"""Records forgotten in one commit of the store, which holds everybody up for a few ms."""
MAX_BATCHES: Final = 50
"""Batches of each kind in one sweep; what is left waits for the next."""
MAX_STUCK: Final = 1_000
"""Damaged reservations that are passed over; beyond that they are tried again."""

R = TypeVar("R")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep did."""

    expired: int = 0
    purged: int = 0

    @property
    def is_behind(self) -> bool:
        """Whether more was over than one sweep gets done; then the next one should not wait.

        Every decision leaves records behind, and they come faster than that pace allows for.
        """
        return (
            self.purged >= MAX_BATCHES * PURGE_BATCH or self.expired >= MAX_BATCHES * EXPIRE_BATCH
        )


def together(plans: Sequence[Plan[R]]) -> Plan[list[R]]:
    """Several transitions as one, and so in one commit; each sees what those before it changed."""
    footprint = tuple(key for plan in plans for key in plan.footprint)

    def transition(snapshot: Snapshot) -> Outcome[Any] | Need:
        seen = dict(snapshot.records)
        changed: dict[Key, Record] = {}
        replies: list[R] = []
        needed: list[Key] = []
        for plan in plans:
            outcome = plan.transition(Snapshot(snapshot.now_ms, seen))
            if isinstance(outcome, Need):
                needed.extend(outcome.keys)
                continue
            replies.append(outcome.reply)
            changes = {record.key: record for record in outcome.changes}
            changed.update(changes)
            seen.update(changes)
        return Need(tuple(needed)) if needed else Outcome(replies, tuple(changed.values()))

    return Plan(footprint, transition)


async def nothing_else() -> None:
    """What a sweep does besides, where nobody has anything to add."""


class Sweeper:
    """Sweeps one store, every `interval_s` seconds once started, and does what else is due then."""

    def __init__(
        self,
        store: Store,
        *,
        interval_s: float = INTERVAL_S,
        also: Callable[[], Awaitable[None]] = nothing_else,
    ) -> None:
        self._store = store
        self._also = also
        self._interval_s = interval_s
        self._task: asyncio.Task[None] | None = None
        self._stuck: set[str] = set()
        self._caught_up_s = monotonic()

    @property
    def lag_s(self) -> float:
        """How long ago nothing was left to do; something may be overdue for so long."""
        return monotonic() - self._caught_up_s

    def start(self) -> None:
        """Sweep from now on, in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """Sweep no more; a batch that was committed is done, another one is left for later."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def sweep_once(self) -> Swept:
        """Expire and purge what is due now.

        Raises:
            StoreError: where the store fails; what was swept before that stays swept.
        """
        return Swept(expired=await self._expire(), purged=await self._purge())

    async def _run(self) -> None:
        while True:
            swept = Swept()
            try:
                began_s = monotonic()
                swept = await self.sweep_once()
                if not swept.is_behind:
                    self._caught_up_s = began_s
                await self._also()
            except Exception:
                log.exception("the sweep failed; trying again in %s s", self._interval_s)
            await asyncio.sleep(0 if swept.is_behind else self._interval_s)

    async def _expire(self) -> int:
        expired = 0
        for _ in range(MAX_BATCHES):
            due = await self._store.due(EXPIRE_BATCH + len(self._stuck))
            overdue = [
                reservation_id for reservation_id in due if reservation_id not in self._stuck
            ]
            if overdue:
                expired += await self._expire_all(overdue)
            if len(overdue) < EXPIRE_BATCH:
                break
        return expired

    async def _expire_all(self, overdue: list[str]) -> int:
        """Expire these in one commit, or one by one where one of them stands in the way."""
        plan = together([expiry(reservation_id) for reservation_id in overdue])
        try:
            return sum(await self._store.transact(plan.footprint, plan.transition))
        except (AssertionError, OverflowError, StoreCorruptError):
            if len(overdue) > 1:
                return sum([await self._expire_all([reservation_id]) for reservation_id in overdue])
            log.exception("the reservation %s is damaged and cannot expire", overdue[0])
            if len(self._stuck) == MAX_STUCK:
                self._stuck.clear()
            self._stuck.update(overdue)
            return 0

    async def _purge(self) -> int:
        purged = 0
        for _ in range(MAX_BATCHES):
            forgotten = await self._store.purge(PURGE_BATCH)
            purged += forgotten
            if forgotten < PURGE_BATCH:
                break
            await asyncio.sleep(0)  # a store that writes inline does not pause by itself
        return purged
