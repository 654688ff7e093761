"""How what was kept long enough leaves the database: a bounded number of rows at a time."""

import sqlite3
from typing import Final

from runcycles.ledger.state import Key
from runcycles_server.records import UNAUTHENTICATED
from runcycles_server.stores import retention
from runcycles_server.stores.sqlite.codecs import (
    AUDIT,
    COUNTERS,
    DECISIONS,
    REPLIES,
    RESERVATIONS,
)
from runcycles_server.stores.sqlite.schema import sql_file

FORGET: Final = (
    (REPLIES, sql_file("forget_replies.sql")),
    (COUNTERS, sql_file("forget_counters.sql")),
    (DECISIONS, sql_file("forget_decisions.sql")),
    (RESERVATIONS, sql_file("forget_reservations.sql")),
    (AUDIT, sql_file("forget_audit.sql")),
)
"""What deletes from each table; the statements answer with the keys of the rows."""


def forget(connection: sqlite3.Connection, now_ms: int, *, limit: int) -> list[Key]:
    """Delete up to `limit` rows whose time is over; their keys."""
    forgotten: list[Key] = []
    for codec, sql in FORGET:
        values = asked(now_ms) | {"limit": limit - len(forgotten)}
        forgotten.extend(map(codec.key_of, connection.execute(sql, values).fetchall()))
    return forgotten


def asked(now_ms: int) -> dict[str, int | str]:
    """What the statements ask for, but for the limit."""
    return {
        "now_ms": now_ms,
        "ended_before_ms": now_ms - retention.RESERVATIONS_MS,
        "decided_before_ms": now_ms - retention.DECISIONS_MS,
        "most_decisions": retention.MOST_DECISIONS,
        "audited_before_ms": now_ms - retention.AUDIT_MS,
        "unauthenticated": UNAUTHENTICATED,
        "unauthenticated_before_ms": now_ms - retention.UNAUTHENTICATED_AUDIT_MS,
    }
