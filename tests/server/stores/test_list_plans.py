"""However many reservations there are, a page of them walks one index."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from runcycles.types import ReservationStatus
from runcycles_server.stores.queries import NUMERIC_SORTS, SORTS, ReservationQuery, Window
from runcycles_server.stores.sqlite import lists
from runcycles_server.stores.sqlite.codecs import RESERVATIONS
from runcycles_server.stores.sqlite.connection import open_writer
from runcycles_server.stores.sqlite.lists import Lists
from runcycles_server.stores.sqlite.reservation_lists import (
    counting,
    narrowed,
    narrowings,
    one,
    statements,
)
from runcycles_server.stores.suite.bench import NOON_MS, TENANT
from runcycles_server.stores.suite.lists import varied

FILTERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    **{status: {"status": status} for status in ReservationStatus},
    "an agent": {"segments": {"agent": "bot"}},
    "a key's scopes": {"scope_filter": ("agent:bot", "app:*", "tenant:acme")},
    "made in": {"created": Window(lowest=1, highest=2)},
    "over in": {"expires": Window(lowest=1, highest=2)},
    "settled in": {"finalized": Window(lowest=1, highest=2)},
    "everything": {
        "status": ReservationStatus.COMMITTED,
        "segments": {"agent": "bot"},
        "scope_filter": ("agent:bot",),
        "created": Window(lowest=1),
        "expires": Window(highest=2),
        "finalized": Window(lowest=1, highest=2),
    },
}
CASES = list(product(FILTERS, SORTS, (True, False), (True, False)))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "cycles.db")) as connection:
        yield connection


def plan(connection: sqlite3.Connection, sql: str, values: list[Any]) -> str:
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [*values, 50]).fetchall()
    return "; ".join(str(row[-1]) for row in rows)


def faults(told: str, *, is_small: bool = False) -> list[str]:
    """What in a plan would look at every row, or sort all that match."""
    found = [] if "SEARCH reservations USING INDEX" in told else ["no index"]
    found += ["a scan"] if "SCAN" in told else []
    sorts_all = "USE TEMP B-TREE FOR ORDER BY" in told
    return [*found, "a sort"] if sorts_all and not is_small else found


@pytest.mark.parametrize(("named", "sort_by", "descending", "first"), CASES)
def test_a_page_walks_an_index_and_sorts_no_more_than_equals(
    database: sqlite3.Connection, named: str, sort_by: str, descending: bool, first: bool
) -> None:
    value: Any = 1 if sort_by in NUMERIC_SORTS else "x"
    query = ReservationQuery(
        tenant="acme",
        sort_by=sort_by,
        descending=descending,
        after=None if first else (value, "x"),
        **FILTERS[named],
    )
    is_small = query.status is ReservationStatus.ACTIVE  # of what runs now
    for sql, values in statements(query):
        assert faults(plan(database, sql, values), is_small=is_small) == []


@pytest.mark.parametrize("named", FILTERS)
def test_the_reservation_of_a_key_is_looked_up(database: sqlite3.Connection, named: str) -> None:
    query = ReservationQuery(tenant="acme", idempotency_key="k", **FILTERS[named])
    told = plan(database, *one(query, "r"))
    assert faults(told) == []
    assert "reservation_id=?" in told


def test_a_list_without_its_index_would_be_noticed(database: sqlite3.Connection) -> None:
    scan = f"{RESERVATIONS.select} WHERE reserved > 5 ORDER BY reserved LIMIT ?"
    assert faults(plan(database, scan, [])) == ["no index", "a scan", "a sort"]


@pytest.mark.parametrize("named", FILTERS)
def test_what_a_filter_leaves_is_counted_and_found_by_an_index(
    database: sqlite3.Connection, named: str
) -> None:
    query = ReservationQuery(tenant="acme", sort_by="reserved", **FILTERS[named])
    scopes = ["tenant:acme/agent:bot"] if query.segments or query.scope_filter else None
    for narrowing in narrowings(query, scopes):
        index, _ = narrowing
        sql, values = counting(narrowing)
        counted = "; ".join(
            row[-1] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        )
        assert f"INDEX {index} (" in counted
        assert "SCAN reservations" not in counted
        told = plan(database, *narrowed(query, narrowing))
        assert f"SEARCH reservations USING INDEX {index}" in told


@pytest.mark.parametrize("named", FILTERS)
def test_a_list_is_the_same_whether_a_filter_leaves_few_rows_or_many(
    database: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    rows = [RESERVATIONS.to_row(each) for each in varied()]
    database.executemany(RESERVATIONS.upsert, rows)
    found = Lists(database, tmp_path)
    window = Window(lowest=NOON_MS + 1, highest=NOON_MS + 101)
    windows = {"created", "expires", "finalized"} & set(FILTERS[named])
    given = FILTERS[named] | dict.fromkeys(windows, window)
    for sort_by, descending in product(SORTS, (True, False)):
        query = ReservationQuery(tenant=TENANT, sort_by=sort_by, descending=descending, **given)
        with monkeypatch.context() as many:
            many.setattr(lists, "FEW", -1)
            walked = found.reservations(query)
            many.setattr(lists, "MAX_SCOPES", 1)
            assert found.reservations(query) == walked
        assert found.reservations(query) == walked
