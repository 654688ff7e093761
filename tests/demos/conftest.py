"""What several tests of the demos need."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runcycles_demos.kit.showing import Wishes
from runcycles_demos.kit.stack import Stack
from runcycles_demos.runaway.show import show
from runcycles_demos.runaway.terms import Terms
from tests.demos.run_demo import Show


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a demo makes its folder, so that a test can see whether it is gone."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Show:
    """Run scenes on a stack of the test's own."""

    def run(scenes: Sequence[Terms], stack: Stack) -> tuple[int, dict[str, Any]]:
        code = show(scenes, Wishes(as_json=True), stack)
        return code, json.loads(capsys.readouterr().out)

    return run
