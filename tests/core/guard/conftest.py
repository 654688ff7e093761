from collections.abc import Iterator

import pytest

from runcycles import set_default_client
from tests.core.guard.lines import Line


@pytest.fixture
def line() -> Iterator[Line]:
    """An authority whose client is the default one."""
    line = Line()
    set_default_client(line.client)
    yield line
    set_default_client(None)
