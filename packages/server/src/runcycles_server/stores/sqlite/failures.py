"""SQLite's errors, in our words: translated here, once, so that none of them leaves the store."""

import sqlite3
from pathlib import Path
from typing import Final

from runcycles.errors import StoreBusyError, StoreCorruptError, StoreError

PRIMARY: Final = 0xFF
"""SQLite's error codes are a kind in the low byte and details above it."""

CANNOT_WRITE: Final = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
IN_USE: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
UNTRUSTED: Final = {sqlite3.SQLITE_IOERR, *DAMAGED}
"""After these nobody knows what the disk holds; only opening it again can tell."""


def _kind(problem: sqlite3.Error) -> int:
    return getattr(problem, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & PRIMARY


def is_record_fault(problem: Exception) -> bool:
    """Whether one record could not be written, rather than the database not be reached."""
    if not isinstance(problem, sqlite3.Error):
        return not isinstance(problem, OSError | MemoryError)
    return isinstance(
        problem,
        sqlite3.DataError
        | sqlite3.IntegrityError
        | sqlite3.InterfaceError
        | sqlite3.ProgrammingError,
    )


def leaves_doubt(problem: BaseException) -> bool:
    """Whether it is unknown what the disk holds after this."""
    return isinstance(problem, sqlite3.Error) and _kind(problem) in UNTRUSTED


def translated(problem: BaseException, path: Path) -> StoreError:
    """The error as a sentence that says what to do."""
    if isinstance(problem, StoreError):
        return problem
    if not isinstance(problem, sqlite3.Error):
        return StoreError(f"{path} could not be written: {problem}; nothing was changed")
    kind = _kind(problem)
    if kind in IN_USE:
        return StoreBusyError(
            f"another program is writing to {path}; nothing was changed, so try again later"
        )
    if kind in DAMAGED:
        return StoreCorruptError(
            f"{path} is not a database, or is damaged ({problem}); nothing was changed: "
            "restore it from a backup or choose another path"
        )
    if kind in CANNOT_WRITE:
        return StoreError(
            f"{path} cannot be written ({problem}); nothing was changed: check that the folder "
            "exists and that this user may write to it"
        )
    if kind == sqlite3.SQLITE_FULL:
        return StoreError(
            f"the disk that holds {path} is full; nothing was changed: free some space and "
            "try again"
        )
    if kind == sqlite3.SQLITE_IOERR:
        return StoreError(
            f"the disk that holds {path} failed ({problem}); no more writes are taken until the "
            "database is opened again"
        )
    return StoreError(f"{path} answered: {problem}; nothing was changed")
