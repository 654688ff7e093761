"""What may be wrong with a file or its folder: one sentence each, and nothing is changed."""

import asyncio
import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from runcycles.errors import (
    ConfigurationError,
    MigrationNeededError,
    StoreBusyError,
    StoreCorruptError,
    StoreError,
)
from runcycles_server.stores import open_store
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.stores.sqlite import SQLiteStore
from runcycles_server.stores.sqlite.schema import APPLICATION_ID, migrate, migrations
from runcycles_server.stores.suite import Bench, Clock
from runcycles_server.stores.suite.bench import ACCOUNT

NOBODY = 65_534


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def store_at(path: Path) -> SQLiteStore:
    return SQLiteStore(path, clock_ms=Clock().now_ms)


async def _use(store: SQLiteStore) -> None:
    await store.start()
    try:
        bench = Bench(store, Clock())
        if await store.get(ACCOUNT) is None:
            await bench.open_budget(100)
        assert (await bench.budget()).allocated == 100
    finally:
        await store.close()


def use(path: Path) -> Path:
    """Work with a database, from start to close."""
    asyncio.run(_use(store_at(path)))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ── URLs ─────────────────────────────────────────────────────────────────────────────────────


def test_a_store_is_opened_by_its_url() -> None:
    assert isinstance(open_store("memory:"), MemoryStore)
    relative, absolute = open_store("sqlite:///a/b.db"), open_store("sqlite:////a/b.db")
    assert isinstance(relative, SQLiteStore)
    assert isinstance(absolute, SQLiteStore)
    assert (relative.path, absolute.path) == (Path("a/b.db"), Path("/a/b.db"))


@pytest.mark.parametrize(
    "url",
    ["", "memory", "sqlite:", "sqlite://", "sqlite:///", "sqlite:///a/", "mysql:///a", "a.db"],
)
def test_what_is_no_store_is_refused_with_what_is(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"memory:, sqlite:///relative\.db or sqlite:////"):
        open_store(url)


# ── files ────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"dear diary, " * 1_000)
    before = digest(path)
    with pytest.raises(StoreCorruptError, match=r"notes\.db is not a database"):
        use(path)
    assert digest(path) == before


def test_an_empty_file_may_have_been_a_database_and_is_left_as_it_is(tmp_path: Path) -> None:
    path = use(tmp_path / "cycles.db")
    os.truncate(path, 0)
    with pytest.raises(StoreCorruptError, match=r"cycles\.db is empty.*delete it if it is meant"):
        use(path)
    assert path.read_bytes() == b""
    path.unlink()
    use(path)


def test_what_an_interrupted_first_start_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "cycles.db.new").write_bytes(b"half of something")
    path = use(tmp_path / "cycles.db")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [path.name, "cycles.db.lock"]


def test_a_link_to_a_database_that_does_not_exist_yet_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "cycles.db"
    link.symlink_to(tmp_path / "disk" / "real.db")
    use(link)
    assert link.is_symlink()
    assert (tmp_path / "disk" / "real.db").stat().st_size > 0
    use(link)


def test_the_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE bookmarks (url TEXT)")
    before = digest(path)
    with pytest.raises(StoreError, match=r"theirs\.db is the database of another program"):
        use(path)
    assert digest(path) == before


def test_a_database_from_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = use(tmp_path / "cycles.db")
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 999")
    before, known = digest(path), migrations()[-1][0]
    with pytest.raises(
        MigrationNeededError, match=rf"schema 999, this one knows {known}\).*upgrade"
    ):
        use(path)
    assert digest(path) == before


def test_a_torn_database_is_reported_as_such(tmp_path: Path) -> None:
    path = use(tmp_path / "cycles.db")
    page = 4_096
    content = bytearray(path.read_bytes())
    for start in range(page, len(content), page):
        content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(StoreCorruptError, match="damaged"):
        use(path)


def test_a_failed_start_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "cycles.db"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 10)
    store = store_at(path)
    with pytest.raises(StoreCorruptError):
        asyncio.run(_use(store))
    path.unlink()
    asyncio.run(_use(store))


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/cycles\.db.*check that the folder exists"):
        use(tmp_path / "nowhere" / "cycles.db")


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "cycles.db").mkdir()
    with pytest.raises(StoreError, match=r"cycles\.db cannot be written"):
        use(tmp_path / "cycles.db")


@contextmanager
def as_a_user_without_rights() -> Iterator[None]:
    """Root may write everywhere, so it steps down meanwhile."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize("what", ["a new database", "a lock", "a known database"])
def test_a_folder_that_takes_no_files_is_named(what: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path: others may not even enter that
        path = Path(folder) / "cycles.db"
        if what == "a known database":
            use(path)
            path.chmod(0o444)
            path.with_name("cycles.db.lock").chmod(0o666)
        elif what == "a new database":
            path.with_name("cycles.db.lock").touch()
            path.with_name("cycles.db.lock").chmod(0o666)
        before = sorted(entry.name for entry in Path(folder).iterdir())
        content = digest(path) if path.exists() else ""
        Path(folder).chmod(0o555)
        try:
            with (
                as_a_user_without_rights(),
                pytest.raises(StoreError, match=r"cannot be written.*check that"),
            ):
                use(path)
        finally:
            Path(folder).chmod(0o755)
        assert sorted(entry.name for entry in Path(folder).iterdir()) == before
        assert (digest(path) if path.exists() else "") == content


# ── one process at a time ────────────────────────────────────────────────────────────────────


HOLDS_IT = """
import asyncio, sys
from runcycles_server.stores import open_store
async def hold():
    await open_store(sys.argv[1]).start()
    print("open", flush=True)
    await asyncio.Event().wait()
asyncio.run(hold())
"""


def test_a_second_process_is_told_and_a_crash_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "cycles.db"
    command = [sys.executable, "-c", HOLDS_IT, f"sqlite:///{path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StoreBusyError, match=r"cycles\.db is in use by another process"):
            use(path)
        holder.kill()
    use(path)


async def test_a_second_store_in_one_process_is_told_too(tmp_path: Path) -> None:
    first, second = store_at(tmp_path / "cycles.db"), store_at(tmp_path / "cycles.db")
    await first.start()
    with pytest.raises(StoreBusyError, match="or by another store of this one"):
        await second.start()
    await first.close()
    await second.start()
    await second.close()
    await second.close()  # twice is fine


# ── migrations ───────────────────────────────────────────────────────────────────────────────


def tables(connection: sqlite3.Connection) -> set[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in found}


def test_a_file_shows_whose_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        migrate(connection)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert "reservations" in tables(connection)


def test_migrations_run_in_order_and_once(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        first = (1, "CREATE TABLE one (x TEXT); -- a comment; with a semicolon\n")
        second = (2, "ALTER TABLE one ADD COLUMN y TEXT;\nINSERT INTO one VALUES ('a;b', 'c')")
        migrate(connection, [first])
        migrate(connection, [first, second])
        migrate(connection, [first, second])
        assert connection.execute("SELECT * FROM one").fetchall() == [("a;b", "c")]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_migration_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        migrate(connection, [(1, "CREATE TABLE one (x TEXT);")])
        broken = [(2, "CREATE TABLE two (x TEXT);"), (3, "CREATE TABLE one (x TEXT);")]
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            migrate(connection, broken)
        assert tables(connection) == {"one"}
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
