"""Which tables there are: numbered SQL files, run in order, once, all in one transaction.

The number of the last one stands in the database itself (`user_version`), next to the mark that
the file is ours (`application_id`). There is no way back: an older server refuses a newer file.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from runcycles.errors import MigrationNeededError, StoreError

APPLICATION_ID: Final = 0x4359434C
"""`CYCL`, as SQLite shows it to `file` and friends."""
FOLDER: Final = files("runcycles_server.stores") / "sql"


def sql_file(name: str) -> str:
    """The text of one of our SQL files."""
    return (FOLDER / name).read_text(encoding="utf-8")


def migrations() -> list[tuple[int, str]]:
    """The number and the text of every migration, in order."""
    found = (file for file in FOLDER.iterdir() if file.name[:4].isdigit())
    numbered = [(int(file.name[:4]), file.read_text(encoding="utf-8")) for file in found]
    return sorted(numbered)


def check_is_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Look before touching: an unknown or newer database is left exactly as it is.

    Raises:
        StoreError: the file belongs to another program.
        MigrationNeededError: it was written by a newer version of the server.
    """
    application_id, version = _pragma(connection, "application_id"), _version(connection)
    if application_id == APPLICATION_ID:
        known = migrations()[-1][0]
        if version > known:
            raise MigrationNeededError(
                f"{path} was written by a newer version (schema {version}, this one knows "
                f"{known}); nothing was changed: upgrade runcycles-server"
            )
    elif application_id or version or _has_tables(connection):
        raise StoreError(
            f"{path} is the database of another program; nothing was changed: choose another path"
        )


def migrate(connection: sqlite3.Connection, steps: Sequence[tuple[int, str]] | None = None) -> None:
    """Bring the tables up to date, wholly or not at all; the connection must be in autocommit."""
    version = _version(connection)
    every = migrations() if steps is None else steps
    missing = [(number, text) for number, text in every if number > version]
    if not missing:
        return
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for number, text in missing:
            for statement in statements(text):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def statements(text: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would commit before it starts."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _version(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "user_version")


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
