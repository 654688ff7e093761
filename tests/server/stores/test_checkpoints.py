"""The log of a SQLite store is moved into the database beside the writer."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runcycles_server.stores.sqlite import checkpoints
from runcycles_server.stores.sqlite.checkpoints import EVERY, Checkpoints
from runcycles_server.stores.sqlite.connection import open_writer


class Doubts:
    """How often it was said that nobody knows what the disk holds."""

    count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cycles.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(path)) as connection:
        connection.execute("INSERT INTO settings VALUES ('here', 'now')")
        yield connection


def in_database_alone(path: Path) -> bool:
    """Whether what was committed is found without the log."""
    return b"herenow" in path.read_bytes()


def test_what_was_committed_is_moved_once_enough_was_written(
    path: Path, writer: sqlite3.Connection
) -> None:
    moving = Checkpoints(path, doubt=Doubts())
    moving.note(EVERY - 1)
    assert not in_database_alone(path)
    moving.note(1)
    moving.close()
    assert in_database_alone(path)
    assert writer.execute("SELECT value FROM settings").fetchall() == [("now",)]


def test_a_checkpoint_that_a_reader_stands_in_the_way_of_is_no_trouble(
    path: Path, writer: sqlite3.Connection
) -> None:
    doubts = Doubts()
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM settings").fetchall()
        writer.execute("INSERT INTO settings VALUES ('later', 'on')")
        moving = Checkpoints(path, doubt=doubts)
        moving.note(EVERY)
        moving.close()
        assert reader.execute("SELECT count(*) FROM settings").fetchone() == (1,)
    assert doubts.count == 0


@pytest.mark.parametrize(
    ("code", "count"), [(sqlite3.SQLITE_IOERR_FSYNC, 1), (sqlite3.SQLITE_FULL, 0)]
)
def test_a_disk_that_fails_while_a_checkpoint_is_taken_leaves_doubt(
    path: Path,
    writer: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    count: int,
) -> None:
    class Failing(sqlite3.Connection):
        def execute(self, *_arguments: object) -> sqlite3.Cursor:
            problem = sqlite3.OperationalError("disk I/O error")
            problem.sqlite_errorcode = code
            raise problem

    def failing(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, factory=Failing, check_same_thread=False)

    monkeypatch.setattr(checkpoints, "open_beside", failing)
    doubts = Doubts()
    moving = Checkpoints(path, doubt=doubts)
    moving.note(EVERY)
    moving.close()
    assert doubts.count == count
