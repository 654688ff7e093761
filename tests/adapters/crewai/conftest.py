"""CrewAI is imported once, its files go to a folder of the tests, its own warnings nowhere."""

import atexit
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest

HOME = tempfile.mkdtemp(prefix="crewai-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ.update(CREWAI_STORAGE_DIR=HOME, XDG_DATA_HOME=HOME)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import crewai  # noqa: F401 - six seconds, and warnings that pytest would make errors

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings(r"ignore::DeprecationWarning:crewai\."))


@pytest.fixture(autouse=True)
def nobody_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever model CrewAI makes by itself has a key, and asks a port where nobody listens."""
    monkeypatch.setenv("OPENAI_API_KEY", "no-key")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
