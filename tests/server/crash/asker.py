"""A process that asks its own store and says on standard output what was acknowledged.

`python -m tests.server.crash.asker <database> [options]`. A line is written the moment an answer
arrives, with one system call, so whoever reads the lines or traces the process knows what was
promised and when.
"""

import argparse
import asyncio
import os
import resource
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from runcycles.errors import BudgetExceededError, StoreError
from runcycles.ids import new_id
from runcycles.ops import Allowed, Commit
from runcycles.types import tokens
from runcycles_server.authority import Authority
from runcycles_server.stores import open_store
from runcycles_server.stores.suite import Bench, Clock
from runcycles_server.stores.suite.bench import ACCOUNT, TENANT, a_reserve
from runcycles_server.stores.waiting import finish_async

BUDGET = 5_000_000
HELD = 10
CHARGED = 7


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Asker:
    """Asks, over a store that awaits the loop or one that has its own thread."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.store = open_store(f"sqlite:///{given.database}", threaded=given.threaded)
        self.authority = Authority(self.store)
        self.threaded: bool = given.threaded
        self.rounds: int | None = given.rounds

    async def done(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return await (finish_async(coroutine) if self.threaded else coroutine)

    async def open(self) -> None:
        await self.done(self.store.start())
        if await self.done(self.store.get(ACCOUNT)) is None:
            await self.done(Bench(self.store, Clock()).open_budget(BUDGET))
        say("open")

    async def reserve_and_commit(self) -> None:
        asked = a_reserve(HELD)
        held = (await self.done(self.authority.ask(asked, tenant=TENANT))).value
        assert isinstance(held, Allowed)
        reservation_id = str(held.reservation_id)
        say("reserved", asked.idempotency_key, reservation_id)
        key = new_id()
        op = Commit(idempotency_key=key, reservation_id=reservation_id, actual=tokens(CHARGED))
        await self.done(self.authority.ask(op, tenant=TENANT))
        say("committed", key, reservation_id)

    async def ask_on(self) -> None:
        left = self.rounds
        while left is None or left > 0:
            try:
                await self.reserve_and_commit()
            except BudgetExceededError:
                return say("exhausted")
            except StoreError as problem:
                say("failed", problem)
            left = None if left is None else left - 1
        return None


async def run(given: argparse.Namespace) -> None:
    asker = Asker(given)
    await asker.open()
    await asyncio.gather(*(asker.ask_on() for _ in range(given.askers)))
    await asker.done(asker.store.close())
    say("closed")


def parsed() -> argparse.Namespace:
    options = argparse.ArgumentParser()
    options.add_argument("database", type=Path)
    options.add_argument("--askers", type=int, default=32)
    options.add_argument("--rounds", type=int, default=None, help="each; for ever by default")
    options.add_argument("--threaded", action="store_true")
    options.add_argument("--largest-file", type=int, default=None, help="in bytes")
    return options.parse_args()


if __name__ == "__main__":
    given = parsed()
    if given.largest_file is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (given.largest_file, given.largest_file))
    asyncio.run(run(given))
