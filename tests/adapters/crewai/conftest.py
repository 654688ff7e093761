"""CrewAI is imported once, its files go to a folder of the tests, its own warnings nowhere."""

import atexit
import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
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
            for left_out in (r"DeprecationWarning:crewai\.", "ResourceWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{left_out}"))


@pytest.fixture(autouse=True)
def nobody_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever model CrewAI makes by itself has a key, and asks a port where nobody listens."""
    monkeypatch.setenv("OPENAI_API_KEY", "no-key")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")


@pytest.fixture(scope="module", autouse=True)
def _no_sockets_left() -> Iterator[None]:
    """CrewAI never closes its async clients: they go before another folder's tests are blamed."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
