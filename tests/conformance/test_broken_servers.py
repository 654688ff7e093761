"""The kit can fail: every broken server is caught, and by what it breaks alone."""

import pytest

from tests.conformance.broken import BROKEN
from tests.conformance.fault import Broken
from tests.conformance.rig import failures, judged, opened
from tests.conformance.tampering import Tampered


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_a_broken_server_is_caught_by_what_it_breaks(broken: Broken) -> None:
    async with opened() as app:
        report = await judged(Tampered(app, broken.make()))
    found = failures(report)
    assert set(found) == broken.requirements, found


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 20
    assert all(broken.requirements for broken in BROKEN.values())
