"""What was kept: it comes back as it was, after a restart too, and goes when its time is over."""

from dataclasses import replace
from typing import Any, Final

from runcycles.errors import StoreError
from runcycles.ledger.idempotency import HELD_FOR_MS
from runcycles.ledger.state import (
    Outcome,
    Record,
    reply_key,
    reservation_key,
)
from runcycles.types import (
    ReservationStatus,
)
from runcycles_server.records import UNAUTHENTICATED
from runcycles_server.stores import retention
from runcycles_server.stores.suite.bench import (
    ACCOUNT,
    NOON_MS,
    TENANT,
    Bench,
    Check,
    a_reservation,
    added,
    together,
)
from runcycles_server.stores.suite.samples import (
    a_counter,
    a_decision,
    a_reply,
    an_entry,
    full_entry,
    one_of_each,
)


async def every_record_comes_back_as_it_was(bench: Bench) -> None:
    """All kinds, all fields, the widest numbers; and again after they were written over."""
    records = one_of_each()
    for _ in range(2):
        await bench.keep(*records)
        found = [await bench.store.get(record.key) for record in records]
        assert found == list(records), found
        seen = await bench.store.transact(
            tuple(record.key for record in records),
            lambda snapshot: Outcome([snapshot.records[record.key] for record in records]),
        )
        assert seen == list(records), seen


async def the_last_change_counts(bench: Bench) -> None:
    """A record that is kept again replaces the one before, wherever it is read."""
    first = a_reservation("rsv-1")
    await bench.keep(first)
    ended = replace(first, status=ReservationStatus.RELEASED, finalized_at_ms=NOON_MS + 5)
    longer = replace(first, expires_at_ms=NOON_MS + 90_000, extension_count=1)
    for record in (longer, ended):
        await bench.keep(record)
        assert await bench.store.get(first.key) == record


async def an_audit_entry_never_changes(bench: Bench) -> None:
    """Whoever keeps another one under its id is too late, in whichever way they differ."""
    first = full_entry()
    await bench.keep(first)
    for fields in ({"status": 500}, {"details": None}, {"tenant_id": "other", "at_ms": 0}):
        other = replace(first, **fields)
        await bench.keep(other, an_entry("log_1"))
        assert await bench.store.get(first.key) == first, fields
    assert await bench.store.get(an_entry("log_1").key) == an_entry("log_1")


async def what_is_not_there_is_none(bench: Bench) -> None:
    """Every kind can be asked for by a key that nobody used."""
    for record in one_of_each():
        assert await bench.store.get(record.key) is None


async def overdue_reservations_are_found_longest_first(bench: Bench) -> None:
    """Only ACTIVE ones, and only after the last moment of their grace."""
    await bench.keep(
        a_reservation("rsv-late", expires_at_ms=NOON_MS + 2),
        a_reservation("rsv-early", expires_at_ms=NOON_MS + 1),
        a_reservation("rsv-long-grace", expires_at_ms=NOON_MS, grace_ms=60_000),
        a_reservation(
            "rsv-ended",
            expires_at_ms=NOON_MS,
            status=ReservationStatus.RELEASED,
            finalized_at_ms=NOON_MS,
        ),
    )
    bench.clock.ms = NOON_MS + 5_001
    assert await bench.store.due(10) == []
    bench.clock.ms = NOON_MS + 5_003
    assert await bench.store.due(10) == ["rsv-early", "rsv-late"]
    assert await bench.store.due(1) == ["rsv-early"]


async def what_was_kept_long_enough_is_forgotten(bench: Bench) -> None:
    """Replies at their own time, reservations a month after their end, some at a time."""
    ended = {"status": ReservationStatus.RELEASED, "finalized_at_ms": NOON_MS}
    await bench.keep(
        a_reply("short", expires_at_ms=NOON_MS + 1_000),
        a_reply("long", expires_at_ms=NOON_MS + 2 * HELD_FOR_MS),
        a_reservation("rsv-1", **ended),
        a_reservation("rsv-2", status=ReservationStatus.EXPIRED, expires_at_ms=NOON_MS, grace_ms=1),
        a_reservation("rsv-running", expires_at_ms=NOON_MS + HELD_FOR_MS * 3),
    )
    bench.clock.ms = NOON_MS + 999
    assert await bench.store.purge(10) == 0
    bench.clock.ms = NOON_MS + 1_000
    assert await bench.store.purge(10) == 1
    bench.clock.ms = NOON_MS + HELD_FOR_MS + 1
    assert await bench.store.purge(1) == 1
    assert await bench.store.purge(10) == 1
    assert await bench.store.purge(10) == 0
    assert await bench.store.get(reply_key(TENANT, "reserve", "long")) is not None
    for reservation_id, is_there in (("rsv-1", False), ("rsv-2", False), ("rsv-running", True)):
        found = await bench.store.get(reservation_key(reservation_id))
        assert (found is not None) is is_there, reservation_id


async def what_authority_left_behind_is_kept_for_its_time(bench: Bench) -> None:
    """Counters, decisions and audit entries, to the millisecond; a decision sees that it is so."""
    times: list[tuple[int, Record]] = [
        (60_000, a_counter(expires_at_ms=NOON_MS + 60_000)),
        (retention.DECISIONS_MS, a_decision("dec-1")),
        (retention.UNAUTHENTICATED_AUDIT_MS, an_entry("log_1", tenant_id=UNAUTHENTICATED)),
        (retention.AUDIT_MS, an_entry("log_2")),
    ]
    await bench.keep(*(record for _, record in times))
    for kept_ms, record in times:
        bench.clock.ms = NOON_MS + kept_ms - 1
        assert await bench.store.purge(10) == 0, record
        assert await _seen(bench, record) == record
        bench.clock.ms += 1
        assert await bench.store.purge(10) == 1, record
        assert await _seen(bench, record) is None


async def _seen(bench: Bench, record: Record) -> Any:
    """What a decision sees under the key of a record."""
    key = record.key
    return await bench.store.transact((key,), lambda snapshot: Outcome(snapshot.records[key]))


async def a_purge_forgets_no_more_than_it_is_told(bench: Bench) -> None:
    """Of whichever kinds the records are, and of decisions the oldest first."""
    decisions = [a_decision(f"dec-{number}") for number in range(5)]
    others: list[Record] = [an_entry("log_1"), an_entry("log_2"), a_counter()]
    for record in decisions:
        await bench.keep(record)
    await bench.keep(*others)
    bench.clock.ms = NOON_MS + retention.AUDIT_MS
    for left in range(7, -1, -1):
        assert await bench.store.purge(1) == 1
        there = [await bench.store.get(record.key) for record in decisions]
        assert there == sorted(there, key=lambda found: found is not None)
        there += [await bench.store.get(record.key) for record in others]
        assert len(there) - there.count(None) == left
    assert await bench.store.purge(1) == 0


async def a_forgotten_key_may_be_used_again(bench: Bench) -> None:
    """After its time a key is free, whether or not it was forgotten already."""
    await bench.open_budget(200)
    amounts = (10, 20, 30)
    for amount in amounts:
        await bench.reserve(amount, key="k")
        bench.clock.ms += HELD_FOR_MS
    assert (await bench.budget()).reserved == sum(amounts)
    assert await bench.store.purge(10) == 1
    await bench.reserve(40, key="k")
    assert (await bench.budget()).reserved == sum(amounts) + 40


async def a_restart_forgets_nothing(bench: Bench) -> None:
    """Everything that was answered is there when the store opens again."""
    if bench.reopen is None:
        return
    records = one_of_each()
    await bench.keep(*records)
    bench.store = await bench.reopen()
    found = [await bench.store.get(record.key) for record in records]
    assert found == list(records), found


async def a_restart_does_not_turn_back_time(bench: Bench) -> None:
    """Whatever the machine's clock says after a restart, the store's goes on."""
    if bench.reopen is None:
        return
    bench.clock.ms = NOON_MS + 500
    await bench.open_budget(1)
    bench.clock.ms = NOON_MS
    bench.store = await bench.reopen()
    assert bench.store.now_ms() >= NOON_MS + 500


async def closing_finishes_what_waits(bench: Bench) -> None:
    """A question that was asked before the end is answered; what it changed is kept."""
    await bench.open_budget(100)
    *answers, _ = await together(
        *(bench.store.transact((ACCOUNT,), added(1)) for _ in range(5)), bench.store.close()
    )
    assert sorted(map(str, answers)) == ["1", "2", "3", "4", "5"]
    if bench.reopen is not None:
        bench.store = await bench.reopen()
        assert (await bench.budget()).spent == len(answers)


async def a_closed_store_refuses(bench: Bench) -> None:
    """It says so, rather than losing what it is given."""
    await bench.open_budget(100)
    await bench.store.close()
    (problem,) = await together(bench.store.transact((ACCOUNT,), added(1)))
    assert isinstance(problem, StoreError), problem


async def an_open_store_is_ready(bench: Bench) -> None:
    """The check of readiness passes where writes are taken."""
    await bench.store.check()


CHECKS: Final[tuple[Check, ...]] = (
    every_record_comes_back_as_it_was,
    the_last_change_counts,
    an_audit_entry_never_changes,
    what_is_not_there_is_none,
    overdue_reservations_are_found_longest_first,
    what_was_kept_long_enough_is_forgotten,
    what_authority_left_behind_is_kept_for_its_time,
    a_purge_forgets_no_more_than_it_is_told,
    a_forgotten_key_may_be_used_again,
    a_restart_forgets_nothing,
    a_restart_does_not_turn_back_time,
    closing_finishes_what_waits,
    a_closed_store_refuses,
    an_open_store_is_ready,
)
