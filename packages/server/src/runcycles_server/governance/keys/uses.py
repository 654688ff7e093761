"""When keys were last used: noted in memory, written down now and then.

A request must not wait for the disk only because it was made, so the gate notes and the sweeper
writes, each key at most once a minute. What was noted last before the server ends may be lost.
"""

from functools import partial
from typing import Final

from runcycles.ledger.state import Key
from runcycles_server.governance.keys import rules
from runcycles_server.records import ApiKey
from runcycles_server.stores.base import Store

EVERY_MS: Final = 60_000
"""The written moment is at most this old, and never rewritten sooner."""
BATCH: Final = 100
"""Keys written in one commit of the store."""


class KeyUses:
    """The uses that are not written down yet: at most one of each key that there is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: dict[Key, int] = {}

    def note(self, key: ApiKey, now_ms: int) -> None:
        """The key is used now."""
        if now_ms - (key.last_used_at_ms or 0) >= EVERY_MS:
            self._noted[key.key] = now_ms

    async def flush(self) -> None:
        """Write down what was noted; where nothing was, nothing is written.

        Raises:
            StoreError: those of one batch stay unwritten until the keys are used again.
        """
        while self._noted:
            names = list(self._noted)[:BATCH]
            moments = {name: self._noted.pop(name) for name in names}
            await self._store.transact(tuple(moments), partial(rules.used, moments=moments))
