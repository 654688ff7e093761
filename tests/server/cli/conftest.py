"""Commands run in an empty folder, and find no settings that the test did not make."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import Ended, cycles

Command = Callable[..., Ended]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command in the test's own process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    for name in [name for name in os.environ if name.startswith("CYCLES_")]:
        monkeypatch.delenv(name)
    return lambda *arguments: cycles(capsys, *arguments)
