"""Disks that fill up or fail: no answer is a lie, and what was kept stays kept."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from runcycles.errors import StoreError
from runcycles.ledger.state import Outcome, Record, Transition
from runcycles_server.stores.clock import MonotonicClock
from runcycles_server.stores.sqlite.batch import BatchRunner
from runcycles_server.stores.sqlite.connection import open_writer
from runcycles_server.stores.sqlite.writers import InlineWriter
from runcycles_server.stores.suite import Clock
from runcycles_server.stores.suite.bench import a_reservation, together
from tests.server.crash.evidence import Promised, check

TINY = 2 * 1024 * 1024


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def asker(path: Path, *options: str, before: tuple[str, ...] = ()) -> list[str]:
    return [
        "timeout",
        "120",
        *before,
        sys.executable,
        "-m",
        "tests.server.crash.asker",
        str(path),
        *options,
    ]


def heard_until_it_fails(command: list[str], failures: int = 100) -> Promised:
    """What an asker says, to the end of some more failures than there are askers."""
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        failed = (line for line in _noted(process.stdout, lines) if line.startswith("failed"))
        assert len(list(islice(failed, failures))) == failures
        os.killpg(process.pid, signal.SIGKILL)  # a tracer does not take what it traces with it
        lines += [line for line in process.stdout if line.endswith("\n")]
    return Promised.in_lines(lines)


def _noted(heard: Iterator[str], lines: list[str]) -> Iterator[str]:
    for line in heard:
        lines.append(line)
        yield line


@contextmanager
def tiny_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of 2 MiB that has become larger afterwards; None where nobody may mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TINY}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with tiny_disk(folder) as disk:
        if disk is None:  # the next best thing: a file that may not grow
            path, options = folder / "cycles.db", ["--largest-file", str(TINY)]
        else:
            path, options = disk / "cycles.db", []
        promised = heard_until_it_fails(asker(path, *options))
        assert promised.committed
        assert f"the disk that holds {path}" in promised.failed[0]
        if disk is not None:
            larger = ["mount", "-o", f"remount,size={20 * TINY}", str(disk)]
            subprocess.run(larger, check=True)
        assert check(path, promised).spent > 0


def test_a_file_that_may_not_grow_stops_the_store_until_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "cycles.db"
    promised = heard_until_it_fails(asker(path, "--largest-file", str(TINY // 4)))
    assert "failed" in promised.failed[0]
    assert "takes no more writes since its disk failed" in promised.failed[-1]
    assert check(path, promised).spent > 0


@pytest.mark.parametrize("options", [[], ["--threaded"]], ids=["inline", "threaded"])
def test_a_sync_that_fails_is_never_tried_again(tmp_path: Path, options: list[str]) -> None:
    """The kernel may have dropped what it could not write; a second sync would lie about it."""
    path = tmp_path / "cycles.db"
    inject = "inject=fdatasync,fsync:error=EIO:when=30"
    strace = ("strace", "-f", "-o", str(tmp_path / "trace"), "-e", inject)
    promised = heard_until_it_fails(asker(path, *options, before=strace))
    assert promised.committed
    assert "failed" in promised.failed[0]  # a commit's own sync, or a checkpoint's beside it
    assert "takes no more writes since its disk failed" in promised.failed[-1]
    assert (tmp_path / "trace").read_text().count("INJECTED") == 1
    assert check(path, promised).spent > 0


def keeping(record: Record) -> Transition[None]:
    return lambda _snapshot: Outcome(None, (record,))


async def test_a_full_disk_fails_the_batch_and_the_next_one_may_fit_again(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "cycles.db")
    runner = BatchRunner(connection, tmp_path / "cycles.db", MonotonicClock(Clock().now_ms))
    writer = InlineWriter(runner)
    rows = [a_reservation(f"rsv-{number}", metadata={"x": "y" * 10_000}) for number in range(9)]
    await writer.submit((), keeping(rows[0]))
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    small = a_reservation("rsv-small")
    problems = await together(*(writer.submit((), keeping(row)) for row in rows[1:]))
    assert [type(problem) for problem in problems] == [StoreError] * 8
    assert "is full; nothing was changed: free some space and try again" in str(problems[0])
    assert [runner.get(row.key) for row in rows] == [rows[0], *[None] * 8]
    connection.execute(f"PRAGMA max_page_count = {pages * 100}")
    runner.check()
    await writer.submit((), keeping(small))
    assert runner.get(small.key) == small
    connection.close()
