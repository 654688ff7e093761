"""What a database must show after its process is gone, whatever ended it."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from runcycles.ledger.state import Account, Reservation, reply_key, reservation_key
from runcycles.types import ReservationStatus
from runcycles_server.stores import ReservationQuery, Store, open_store
from runcycles_server.stores.suite.bench import ACCOUNT, TENANT
from tests.server.crash.asker import CHARGED

PAGE = 10_000


@dataclass
class Promised:
    """What the lines of an asker say was acknowledged, as (key, reservation id)."""

    reserved: list[tuple[str, str]] = field(default_factory=list)
    committed: list[tuple[str, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @classmethod
    def in_lines(cls, lines: Iterable[str]) -> "Promised":
        found = cls()
        for line in lines:
            match line.rstrip("\n").split(" ", 2):
                case ["reserved", key, reservation_id]:
                    found.reserved.append((key, reservation_id))
                case ["committed", key, reservation_id]:
                    found.committed.append((key, reservation_id))
                case ["failed", *words]:
                    found.failed.append(" ".join(words))
                case _:
                    pass
        return found


def check(path: Path, promised: Promised) -> Account:
    """Open what was left and compare it with what was promised; the account as it stands."""
    return asyncio.run(_check(path, promised))


async def _check(path: Path, promised: Promised) -> Account:
    store = open_store(f"sqlite:///{path}")
    await store.start()
    try:
        await _check_promises(store, promised)
        return await _check_sums(store)
    finally:
        await store.close()


async def _check_promises(store: Store, promised: Promised) -> None:
    for key, reservation_id in promised.reserved:
        row: Reservation | None = await store.get(reservation_key(reservation_id))
        assert row is not None, f"the acknowledged reservation {reservation_id} is lost"
        assert row.idempotency_key == key
        reply = await store.get(reply_key(TENANT, "reserve", key))
        assert reply is not None
        assert reply.reservation_id == reservation_id
    for key, reservation_id in promised.committed:
        row = await store.get(reservation_key(reservation_id))
        assert row is not None
        assert row.status is ReservationStatus.COMMITTED, f"the commit of {reservation_id} is lost"
        assert await store.get(reply_key(TENANT, f"commit/{reservation_id}", key)) is not None


async def _check_sums(store: Store) -> Account:
    """The balance is the sum of the rows, to the unit, and never above what was allocated."""
    account: Account = await store.get(ACCOUNT)
    rows = await _all(store)
    held = [row for row in rows if row.status is ReservationStatus.ACTIVE]
    charged = [row for row in rows if row.status is ReservationStatus.COMMITTED]
    assert account.reserved == sum(row.estimate.amount for row in held)
    assert account.spent == sum(row.charged or 0 for row in charged) == len(charged) * CHARGED
    assert account.spent + account.reserved <= account.allocated
    return account


async def _all(store: Store) -> list[Reservation]:
    query = ReservationQuery(tenant=TENANT, sort_by="reservation_id", descending=False, limit=PAGE)
    rows: list[Reservation] = []
    while page := await store.reservations(query):
        rows += page
        query = replace(query, after=(page[-1].reservation_id, page[-1].reservation_id))
    return rows
