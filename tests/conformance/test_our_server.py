"""Our own server passes the kit: over each store in this process, and as the command itself."""

import json
from pathlib import Path

import pytest

from tests.conformance.rig import failures, judged, opened
from tests.support.commands import cycles
from tests.support.processes import running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("store", ["memory:", "sqlite:///{folder}/ledger.db"])
async def test_our_app_conforms_over_every_store(store: str, tmp_path: Path) -> None:
    async with opened(store.format(folder=tmp_path)) as app:
        report = await judged(app)
    assert failures(report) == {}
    assert report.conforms


def test_cycles_dev_conforms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running("dev", "--json", "--port", "0", cwd=tmp_path) as process:
        told = process.said()
        ended = cycles(
            capsys,
            "conformance",
            f"--base-url={told['base_url']}",
            f"--admin-key={told['admin_key']}",
            f"--junit={tmp_path / 'junit.xml'}",
            "--json",
        )
    said = json.loads(ended.out)
    assert [row for row in said["results"] if row["result"] == "failed"] == []
    assert (ended.code, said["conforms"]) == (0, True)
    assert (tmp_path / "junit.xml").read_text().startswith("<testsuites")
