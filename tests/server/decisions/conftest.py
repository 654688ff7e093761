"""Every store, with a budget of 100 tokens at the root of the tenant."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.decisions.asks import Asking
from tests.server.http.conftest import acme, server
from tests.server.stores.benches import STORES, bench_of

__all__ = ["acme", "anyio_backend", "asking", "server"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=STORES)
async def asking(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Asking]:
    async with bench_of(request.param, tmp_path) as bench:
        await bench.open_budget(100)
        yield Asking(bench)
