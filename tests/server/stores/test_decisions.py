"""Decision records, of which there are many: how many are kept, and how they are looked through."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runcycles_server.stores import retention
from runcycles_server.stores.sqlite import store as sqlite_store
from runcycles_server.stores.suite import Bench
from runcycles_server.stores.suite.samples import a_decision
from tests.server.stores.benches import STORES, bench_of

MANY = [a_decision(f"dec-{number}", trace_id=f"trace {number % 3}") for number in range(10)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=STORES)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_of(request.param, tmp_path) as found:
        for record in MANY:
            await found.keep(record)
        yield found


async def test_of_too_many_the_oldest_are_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await bench.store.purge(100) == 0
    monkeypatch.setattr(retention, "MOST_DECISIONS", 4)
    assert await bench.store.purge(5) == 5
    assert await bench.store.purge(5) == 1
    assert await bench.store.purge(5) == 0
    left = [record for record in MANY if await bench.store.get(record.key) is not None]
    assert left == MANY[-4:]
    await bench.keep(again := a_decision("dec-10"))
    assert await bench.store.purge(5) == 1
    assert await bench.store.decisions(again.trace_id) == [again]


@pytest.mark.parametrize("piece", [1, 3, 4, 10, 11])
async def test_a_search_in_pieces_finds_what_one_look_would(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(sqlite_store, "MAX_SCANNED", piece)
    found = [record for record in reversed(MANY) if record.trace_id == "trace 1"]
    assert await bench.store.decisions("trace 1") == found
    assert await bench.store.decisions("trace 1", limit=2) == found[:2]
    assert await bench.store.decisions("nothing") == []
