"""A database that was cut off: it opens with all that was answered, or says what is missing."""

import asyncio
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from runcycles.errors import StoreCorruptError
from runcycles.types import ReservationStatus
from runcycles_server.stores import open_store
from runcycles_server.stores.sqlite import whole
from runcycles_server.stores.sqlite.whole import check_is_whole
from runcycles_server.stores.suite import Bench, Clock
from tests.server.crash.evidence import Promised, check

PAGE = 4_096
LAST_PAGES = 2 * PAGE
EVERY = 1 if os.environ.get("CYCLES_SOAK") else 499
FILES = ("cycles.db", "cycles.db-wal", "cycles.db-shm")
ANSWERED = 60  # so few that the log was never begun anew, and ends with the last of them


@pytest.fixture(scope="module", params=["stopped", "killed", "killed later"])
def left(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Promised]:
    """What a server left behind, and what it had answered."""
    folder = tmp_path_factory.mktemp("left")
    return folder, asyncio.run(_used(folder, str(request.param)))


async def _used(folder: Path, end: str) -> Promised:
    """A store that was used and closed; or the files as they were while it was still open."""
    live = folder / "live"
    live.mkdir()
    promised = Promised()
    for copied in (False, True) if end == "killed later" else (end == "killed",):
        store = open_store(f"sqlite:///{live / 'cycles.db'}")
        await store.start()
        bench = Bench(store, Clock())
        if not promised.reserved:
            await bench.open_budget(10**6)
        for _ in range(ANSWERED):
            reservation_id = await bench.hold(10)
            row = await store.get(("reservation", reservation_id))
            assert row.status is ReservationStatus.ACTIVE
            promised.reserved.append((row.idempotency_key, reservation_id))
        if copied:
            _copy(live, folder)
        await store.close()
        if not copied:
            _copy(live, folder)
    return promised


def _copy(source: Path, target: Path) -> None:
    for name in FILES:
        (target / name).unlink(missing_ok=True)
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def cut(left: Path, folder: Path, name: str, length: int) -> Path:
    """The same files elsewhere, one of them cut off."""
    _copy(left, folder)
    os.truncate(folder / name, length)
    return folder / "cycles.db"


def lengths(file: Path, every: int) -> list[int]:
    size = file.stat().st_size
    first = max(0, size - LAST_PAGES)
    return sorted({*range(first, size, every), size - PAGE, size - 1})


def refused(act: Callable[[], object]) -> str:
    """The sentence with which it was refused; empty where it was not."""
    try:
        act()
    except StoreCorruptError as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize("name", FILES[:2])
def test_a_file_cut_anywhere_near_its_end_loses_nothing_unsaid(
    left: tuple[Path, Promised], tmp_path: Path, name: str
) -> None:
    folder, promised = left
    if not (folder / name).exists():
        assert name == "cycles.db-wal"  # who stops in good order leaves none
        return
    for length in lengths(folder / name, EVERY):
        path = cut(folder, tmp_path, name, length)
        before = path.read_bytes()
        if sentence := refused(partial(check, path, promised)):
            assert "nothing was changed: restore" in sentence
            assert path.read_bytes() == before
    check(cut(folder, tmp_path, name, (folder / name).stat().st_size), promised)


def test_every_single_byte_that_is_missing_is_missed(
    left: tuple[Path, Promised], tmp_path: Path
) -> None:
    folder, _ = left
    name = "cycles.db-wal" if (folder / "cycles.db-wal").exists() else "cycles.db"
    path = cut(folder, tmp_path, name, (folder / name).stat().st_size)
    check_is_whole(path)
    for length in reversed(lengths(folder / name, 1)):
        os.truncate(tmp_path / name, length)
        sentence = refused(partial(check_is_whole, path))
        assert f"{name} is cut off, at {length} " in sentence, f"{length} bytes pass as whole"


def test_without_that_check_a_cut_would_pass_unseen(
    left: tuple[Path, Promised], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, promised = left
    name = "cycles.db-wal" if (folder / "cycles.db-wal").exists() else "cycles.db"
    path = cut(folder, tmp_path, name, (folder / name).stat().st_size - 100)
    monkeypatch.setattr(whole, "_size", lambda _path: 10**12)
    with pytest.raises(AssertionError):
        check(path, promised)
