"""A first start that dies at any moment: the next one finds a whole database, or none at all."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from runcycles_server.stores import open_store
from tests.server.crash.traces import calls

CHANGES = "pwrite64,ftruncate,fsync,fdatasync,rename,unlink"
"""The calls by which the files of a start come to be what they are."""
KILLS = 10_000 if os.environ.get("CYCLES_SOAK") else 10
START = """
import asyncio, sys
from runcycles_server.stores import open_store
async def start():
    store = open_store(sys.argv[1])
    await store.start()
    await store.close()
asyncio.run(start())
"""


def traced(path: Path, *options: str) -> list[str]:
    """What a start in a process of its own did to its folder, as far as it came."""
    log = path.parent.parent / "trace"
    command = ["strace", "-f", "-y", "-s", "0", "-o", str(log), "-e", f"trace={CHANGES}", *options]
    command += [sys.executable, "-c", START, f"sqlite:///{path}"]
    subprocess.run(command, check=False, capture_output=True, timeout=60)
    return [call for call in calls(log.read_text().splitlines()) if str(path.parent) in call]


async def start(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    await store.start()
    await store.check()
    await store.close()


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_a_first_start_that_is_killed_leaves_nothing_that_refuses_the_next(tmp_path: Path) -> None:
    whole = tmp_path / "whole" / "cycles.db"
    whole.parent.mkdir()
    steps = len(traced(whole))
    lefts = []
    for step in range(1, steps + 1, max(1, steps // KILLS)):
        path = tmp_path / f"killed-{step}" / "cycles.db"
        path.parent.mkdir()
        traced(path, "-e", f"inject={CHANGES}:signal=KILL:when={step}")
        lefts.append(names(path.parent))
        assert not path.exists() or path.stat().st_size > 0
        asyncio.run(start(path))
        assert names(path.parent) == names(whole.parent) == {"cycles.db", "cycles.db.lock"}
    assert {"cycles.db.new", "cycles.db.lock"} in lefts
    assert {"cycles.db", "cycles.db-wal", "cycles.db-shm", "cycles.db.lock"} in lefts


def test_a_first_start_that_finds_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "cycles.db"
    cramped = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)){START}"
    command = [sys.executable, "-c", cramped, f"sqlite:///{path}"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert f"StoreError: the disk that holds {path} failed" in ended.stderr
    assert names(tmp_path) == {"cycles.db.lock"}
    asyncio.run(start(path))


def test_a_new_database_gets_its_name_only_once_it_is_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "cycles.db"
    path.parent.mkdir()
    seen = traced(path)
    (named,) = (at for at, call in enumerate(seen) if f'rename("{path}' in call)
    made = f"<{path}.new>"
    changed = [at for at, call in enumerate(seen) if made in call and "sync(" not in call]
    synced = [at for at, call in enumerate(seen) if made in call and "sync(" in call]
    assert 0 < max(changed) < max(synced) < named
    assert f"<{path.parent}>" in seen[named + 1]
    assert not any(f"<{path}>" in call for call in seen[:named])
