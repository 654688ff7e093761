"""A store that has been in use for a while: reservations, each with its reply and its decision.

Rows are made by the store's own codecs and inserted in bulk. Most reservations are long settled,
the youngest are still held, as in a server that has run for days.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from runcycles.ids import new_id
from runcycles.ledger.state import Remembered, Reservation
from runcycles.scopes import lineage
from runcycles.types import (
    Action,
    Amount,
    OveragePolicy,
    ReservationStatus,
    Subject,
    Unit,
    Verdict,
)
from runcycles_server.records import DecisionRecord
from runcycles_server.stores.sqlite.codecs import DECISIONS, REPLIES, RESERVATIONS, Codec
from runcycles_server.stores.sqlite.connection import open_writer

CHUNK: Final = 20_000
AGENTS: Final = 1_000
HELD: Final = 1_000
"""Of the youngest, so many are still ACTIVE; none of them is due while a benchmark runs."""
STEP_MS: Final = 300
"""Between two reservations: a million of them are three and a half days."""
DAY_MS: Final = 86_400_000
_ENDS: Final = (
    *[ReservationStatus.COMMITTED] * 8,
    ReservationStatus.RELEASED,
    ReservationStatus.EXPIRED,
)
_REPLY: Final = b"{" + b" " * 570 + b"}"
_FACTS: Final = "x" * 320


def fill(path: Path, tenant: str, count: int, *, now_ms: int) -> None:
    """Put so many reservations of one tenant into a database, the last one made just now."""
    connection = open_writer(path)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        chance = random.Random(count)
        for first in range(0, count, CHUNK):
            numbers = range(first, min(first + CHUNK, count))
            made = [_reservation(tenant, n, count, now_ms, chance) for n in numbers]
            connection.execute("BEGIN IMMEDIATE")
            for codec, records in (
                (RESERVATIONS, iter(made)),
                (REPLIES, map(_reply, made)),
                (DECISIONS, map(_decision, made)),
            ):
                _insert(connection, codec, records)
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _insert(connection: Any, codec: Codec[Any], records: Iterator[Any]) -> None:
    connection.executemany(codec.upsert, map(codec.to_row, records))


def _reservation(
    tenant: str, number: int, count: int, now_ms: int, chance: random.Random
) -> Reservation:
    created_at_ms = now_ms - (count - number) * STEP_MS
    agent = chance.randrange(AGENTS)
    subject = Subject(tenant=tenant, agent=f"agent-{agent}")
    scopes = lineage(subject)
    held = Reservation(
        reservation_id=f"{created_at_ms:012x}-{number:023d}",
        tenant=tenant,
        status=ReservationStatus.ACTIVE,
        subject=subject,
        action=Action(kind="llm.completion", name="gpt-4o"),
        estimate=Amount(unit=Unit.USD_MICROCENTS, amount=chance.randrange(1, 1_000_000)),
        affected_scopes=scopes,
        budgeted_scopes=scopes[:1],
        overage_policy=OveragePolicy.ALLOW_IF_AVAILABLE,
        idempotency_key=new_id(),
        created_at_ms=created_at_ms,
        expires_at_ms=created_at_ms + DAY_MS,
        grace_ms=5_000,
        max_extensions=10,
    )
    if number >= count - HELD:
        return held
    status = chance.choice(_ENDS)
    if status is ReservationStatus.EXPIRED:
        return replace(held, status=status, expires_at_ms=created_at_ms + 60_000)
    charged = held.estimate.amount if status is ReservationStatus.COMMITTED else None
    return replace(held, status=status, charged=charged, finalized_at_ms=created_at_ms + 900)


def _reply(made: Reservation) -> Remembered:
    return Remembered(
        tenant=made.tenant,
        endpoint="reserve",
        idempotency_key=made.idempotency_key,
        fingerprint=bytes(32),
        reply=_REPLY,
        expires_at_ms=made.created_at_ms + 30 * DAY_MS,
        reservation_id=made.reservation_id,
        lease_expires_at_ms=made.expires_at_ms,
    )


def _decision(made: Reservation) -> DecisionRecord:
    return DecisionRecord(
        decision_id=made.reservation_id,
        tenant=made.tenant,
        at_ms=made.created_at_ms,
        reservation_id=made.reservation_id,
        request_ids=made.idempotency_key[-32:],
        trace_id=made.idempotency_key[:32],
        idempotency_key=made.idempotency_key,
        decision=Verdict.ALLOW,
        reason=None,
        facts=_FACTS,
    )
