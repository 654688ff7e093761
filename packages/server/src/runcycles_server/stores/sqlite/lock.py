"""One process per database, by a lock that the kernel takes back when its holder dies.

The lock is on a file of its own next to the database, so tools that only look into the database
still can, and it needs no cleaning up: the file may stay, only the lock counts.
"""

import os
from pathlib import Path
from typing import Final

from runcycles.errors import StoreBusyError, StoreError

try:
    import fcntl
except ImportError:  # pragma: no cover - only on Windows, where SQLite's own locks have to do
    fcntl = None  # type: ignore[assignment]  # the module is all or nothing

OWNER_MAY_WRITE: Final = 0o600
"""The lock tells nobody anything, but whoever can open it can keep us from starting."""


class FileLock:
    """Holds `<database>.lock` from `acquire` to `release`, or to the end of the process."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(f"{database.name}.lock")
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StoreBusyError: somebody has it.
            StoreError: the folder does not exist or takes no files.
        """
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, OWNER_MAY_WRITE)
        except OSError as problem:
            raise StoreError(
                f"{self._path} cannot be written ({problem.strerror}); nothing was changed: "
                "check that the folder exists and that this user may write to it"
            ) from problem
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(handle)
            raise StoreBusyError(
                f"{self._database} is in use by another process or by another store of this one; "
                "stop it first, or ask it over HTTP"
            ) from problem
        self._handle = handle

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
