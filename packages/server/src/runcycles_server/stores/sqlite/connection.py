"""Opening a database file: looked at first, then locked in the way its guarantees need.

WAL lets lists be read while the writer writes; `synchronous=FULL` makes COMMIT wait for the disk.
"""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from runcycles.errors import StoreError
from runcycles_server.stores.sqlite.schema import check_is_ours, migrate
from runcycles_server.stores.sqlite.whole import check_is_whole

BUSY_S: Final = 0.25
"""How long to wait for a foreign program that holds the file; the event loop waits with us."""
CACHE_KIB: Final = 64 * 1024
"""SQLite's page cache: the indexes' upper pages of some million rows."""
MAX_LOG_PAGES: Final = 8_000
"""Pages of the log, 32 MB of it, with which the writer begins it anew; see `checkpoints`."""


def open_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes; its tables are up to date.

    Raises:
        StoreError: the file is not ours, not whole, or from a newer version; it was not changed.
        sqlite3.Error: whatever else keeps it from being opened.
    """
    check_is_whole(path)
    if not path.exists():
        _make(path.resolve())  # where a link leads to, for its place is not ours to take
    connection = _connect(path)
    try:
        check_is_ours(connection, path)
        keep_a_write_ahead_log(connection, path)
        _reach_the_disk(connection)
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {MAX_LOG_PAGES}")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection for lists; it sees what is committed and cannot write."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def open_beside(path: Path) -> sqlite3.Connection:
    """A connection that moves what the writer has committed; it decides nothing."""
    connection = _connect(path)
    _reach_the_disk(connection)
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    # Transactions are ours to open and close, and the store decides which thread may come near.
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def keep_a_write_ahead_log(connection: sqlite3.Connection, path: Path) -> None:
    """Let readers and the writer work side by side.

    Raises:
        StoreError: this file system cannot.
    """
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"{path} lies on a file system without shared memory; choose another")


def _make(path: Path) -> None:
    """Make a database under another name; it gets its own when all of it is on the disk.

    So whoever dies meanwhile leaves no empty file, and an empty one is never taken for a new one.
    """
    made = path.with_name(f"{path.name}.new")
    made.unlink(missing_ok=True)
    try:
        with closing(_connect(made)) as connection:
            connection.execute(
                "PRAGMA journal_mode = MEMORY"
            )  # what is not finished is thrown away
            _reach_the_disk(connection)
            migrate(connection)
        made.rename(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    _keep_name_of(path)


def _reach_the_disk(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    if sys.platform == "darwin":  # pragma: no cover - there fsync alone does not reach the disk
        connection.execute("PRAGMA fullfsync = ON")


def _keep_name_of(path: Path) -> None:
    """A new file survives a power cut only if its folder was synced too."""
    if os.name == "nt":  # pragma: no cover - there a folder cannot be opened, nor needs to be
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
