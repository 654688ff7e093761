import time
import uuid

import pytest

from runcycles.ids import new_id


def test_an_id_is_a_version_7_uuid() -> None:
    found = uuid.UUID(new_id())
    assert found.version == 7
    assert found.variant == uuid.RFC_4122


def test_ids_are_not_made_twice() -> None:
    assert len({new_id() for _ in range(1_000)}) == 1_000


def test_later_ids_are_greater(monkeypatch: pytest.MonkeyPatch) -> None:
    def id_at(ms: int) -> str:
        monkeypatch.setattr(time, "time_ns", lambda: ms * 1_000_000)
        return new_id()

    ids = [id_at(ms) for ms in (0, 1, 1_000, 1_800_000_000_000, 2**48 - 1)]
    assert ids == sorted(ids)
    assert uuid.UUID(ids[3]).int >> 80 == 1_800_000_000_000
