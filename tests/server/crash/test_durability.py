"""The order of things as the kernel sees it: what is answered is on the disk already."""

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.crash.traces import Promises, promises_in

ASKERS, ROUNDS = 32, 12
PAGE = 4_096


def traced(folder: Path, *options: str) -> Promises:
    """The promises of an asker, from its first question to its last answer."""
    log = folder / "trace"
    calls = "trace=pwrite64,write,fdatasync,fsync"
    command = [
        *("timeout", "120", "strace", "-f", "-y", "-s", str(PAGE), "-e", calls, "-o", str(log)),
        *(sys.executable, "-m", "tests.server.crash.asker", str(folder / "cycles.db")),
        *("--askers", str(ASKERS), "--rounds", str(ROUNDS), *options),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return promises_in(log.read_text().splitlines())


@pytest.mark.parametrize("options", [[], ["--threaded"]], ids=["inline", "threaded"])
def test_no_answer_leaves_before_it_is_on_the_disk(tmp_path: Path, options: list[str]) -> None:
    promises = traced(tmp_path, *options)
    assert promises.too_early == []
    assert len(promises.kept) == ASKERS * ROUNDS * 2
    assert statistics.median(promises.batches) > 1
    assert len(promises.batches) < len(promises.kept) / 4


def test_a_server_has_one_sync_for_all_that_wait(tmp_path: Path) -> None:
    promises = traced(tmp_path)
    assert statistics.median(promises.batches) == ASKERS


KEY = "01a208f3-b7b2-7b5d-9736-344e6c909a7b"
WRITE = f'7 pwrite64(5</srv/cycles.db-wal>, "\\0\\5{KEY}\\3"..., 4096, 8192) = 4096'
SYNC = "7 fdatasync(5</srv/cycles.db-wal>) = 0"
ANSWER = f'8 write(1<pipe:[9]>, "reserved {KEY} x\\n", 80) = 80'


def test_an_answer_after_its_sync_is_kept() -> None:
    assert promises_in([WRITE, SYNC, ANSWER]) == Promises(kept={KEY: 1})


def test_a_later_write_takes_nothing_back() -> None:
    assert promises_in([WRITE, SYNC, WRITE, ANSWER, SYNC]).too_early == []


@pytest.mark.parametrize(
    "early",
    [
        [WRITE, ANSWER],
        [SYNC, ANSWER],
        [WRITE, ANSWER, SYNC],
        [WRITE, SYNC.replace("= 0", "= -1 EIO (Input/output error) (INJECTED)"), ANSWER],
        [WRITE, SYNC.replace("-wal", ""), ANSWER],
        [
            WRITE,
            SYNC.replace(") = 0", " <unfinished ...>"),
            ANSWER,
            "7 <... fdatasync resumed>) = 0",
        ],
    ],
    ids=["no sync", "no write", "later", "failed", "of another file", "still running"],
)
def test_an_answer_before_its_sync_is_noticed(early: list[str]) -> None:
    assert promises_in(early).too_early == [KEY]
