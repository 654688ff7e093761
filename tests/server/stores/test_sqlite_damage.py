"""A row that somebody bent: whoever asks for it is told which one, and it is never believed."""

from contextlib import closing
from pathlib import Path

import pytest

from runcycles.errors import StoreCorruptError
from runcycles.ledger.state import Outcome, Record
from runcycles_server.stores.clock import MonotonicClock
from runcycles_server.stores.sqlite.batch import BatchRunner
from runcycles_server.stores.sqlite.codecs import BY_RECORD
from runcycles_server.stores.sqlite.connection import open_writer
from runcycles_server.stores.sqlite.writers import InlineWriter
from runcycles_server.stores.suite import Clock
from runcycles_server.stores.suite.bench import TENANT, a_reservation, an_account
from runcycles_server.stores.suite.samples import (
    a_counter,
    full_book,
    full_entry,
    full_kind,
    full_stops,
    full_tenant,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


BENT: list[tuple[Record, str, str]] = [
    (an_account(), "reserved = -1", f"{TENANT}/tenant:acme/TOKENS"),
    (an_account(), 'budget = \'{"caps":{"max_tokens":-1}}\'', f"{TENANT}/tenant:acme/TOKENS"),
    (full_tenant(), "observe_mode = 'PERHAPS'", "full"),
    (a_reservation("rsv-1"), "settlement = '{\"charged\":1}'", "rsv-1"),
    (a_reservation("rsv-1"), "settlement = '[]'", "rsv-1"),
    (a_reservation("rsv-1"), "status = 'GONE'", "rsv-1"),
    (a_reservation("rsv-1"), "subject = 'nobody'", "rsv-1"),
    (a_reservation("rsv-1"), "subject = '{\"tenants\":1}'", "rsv-1"),
    (a_reservation("rsv-1"), "unit = 'EUR'", "rsv-1"),
    (a_reservation("rsv-1"), "counted = '[[1]]'", "rsv-1"),
    (full_book(), "policies = '{}'", TENANT),
    (full_book(), "policies = replace(policies, '\"action_kind\"', '\"risk_class\"')", TENANT),
    (full_stops(), "stops = '[{}]'", "all"),
    (a_counter(), "used = -1", f"{TENANT}/tenant:acme/tool.call/per_hour_tumbling/2030-03-17T18"),
    (full_kind(), "risk_class = 'harmless'", "custom.full"),
    (full_kind(), "policy_key_spec = '[]'", "custom.full"),
    (full_entry(), "details = '{'", "log_full"),
    (full_entry(), "details = '[]'", "log_full"),
]


@pytest.mark.parametrize(("record", "bent", "name"), BENT, ids=lambda part: str(part)[:40])
async def test_a_bent_row_is_named_and_not_believed(
    tmp_path: Path, record: Record, bent: str, name: str
) -> None:
    path, table = tmp_path / "cycles.db", BY_RECORD[type(record)].table
    with closing(open_writer(path)) as connection:

        def runner() -> BatchRunner:
            return BatchRunner(connection, path, MonotonicClock(Clock().now_ms))

        await InlineWriter(runner()).submit((), lambda _snapshot: Outcome(None, (record,)))
        assert runner().get(record.key) == record
        connection.execute(f"UPDATE {table} SET {bent}")
        with pytest.raises(StoreCorruptError, match=f"row {name} of the table {table} is damaged"):
            runner().get(record.key)
