import random
import subprocess
import sys
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


def test_ids_grow_within_a_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    def id_at(ns: int) -> str:
        monkeypatch.setattr(time, "time_ns", lambda: ns)
        return new_id()

    ids = [id_at(5_000_000 + ns) for ns in (0, 250, 1_000, 500_000, 999_999, 1_000_000)]
    assert ids == sorted(ids)
    assert {uuid.UUID(found).version for found in ids} == {7}


def test_workers_with_one_seed_do_not_make_the_same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 5_000_000)
    made = []
    for _ in range(2):
        random.seed(42)
        made.append(new_id())
    assert made[0] != made[1]


def test_a_forked_child_makes_ids_of_its_own() -> None:
    program = """
import os, time
from runcycles.ids import new_id
time.time_ns = lambda: 5_000_000
if os.fork() == 0:
    print(new_id(), flush=True)
    os._exit(0)
os.wait()
print(new_id(), flush=True)
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert len(set(ended.stdout.split())) == 2
