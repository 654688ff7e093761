from pathlib import Path

import pytest
from anyio import fail_after

from runcycles_server.stores.suite import CHECKS, Check
from tests.server.stores.benches import STORES, bench_of


@pytest.fixture
def anyio_backend() -> str:
    return (
        "asyncio"  # the server's stores live on asyncio; the embedded ones have tests of their own
    )


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_every_store_keeps_its_promises(check: Check, name: str, tmp_path: Path) -> None:
    with fail_after(30):
        async with bench_of(name, tmp_path) as bench:
            await check(bench)
