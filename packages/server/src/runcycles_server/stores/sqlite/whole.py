"""Whether a database file is all there, found out before SQLite looks at it.

SQLite reads what is missing from its last page as zeros, and what is missing from its log as never
written. Both files say how long they were: the database in its header, with what is still only in
the log; the log in the index that a killed process leaves behind (`-shm`), which counts nothing
that was not synced, and so never more than there is after a power cut.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runcycles.errors import StoreCorruptError

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_INDEX_HEADER: Final = 48
_LARGEST_PAGE: Final = 65_536


def check_is_whole(path: Path) -> None:
    """Make sure that nothing was cut off the database or its log.

    Raises:
        StoreCorruptError: something is missing; nothing was changed.
    """
    log, index = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    if (counted := _frames_counted(index, log)) > _size(log):
        raise StoreCorruptError(
            f"{log} is cut off, at {_size(log)} of {counted} bytes, and some of what was written "
            f"is only there; nothing was changed: restore {path} from a backup, or delete "
            f"{index.name} to go on without what is missing"
        )
    if path.is_file() and not _size(path) and not _size(log):
        raise StoreCorruptError(
            f"{path} is empty, which no start leaves behind, so what it held may be lost; nothing "
            "was changed: restore it from a backup, or delete it if it is meant to be new"
        )
    if missing := _missing_page(path, log):
        raise StoreCorruptError(
            f"{path} is cut off, at {_size(path)} bytes: its page {missing} is missing; nothing "
            "was changed: restore it from a backup or choose another path"
        )


def _missing_page(path: Path, log: Path) -> int:
    """The first page that is neither in the database nor in its log; 0 where all are there."""
    head = _beginning(path, _HEADER)
    if len(head) < _HEADER:
        return 1 if head or _size(log) else 0  # a database that is not there is yet to be made
    if not head.startswith(_MAGIC) or head[24:28] != head[92:96]:
        return 0  # SQLite itself says what is wrong with it
    page, pages = _page_size(struct.unpack_from(">H", head, 16)[0]), head[28:32]
    whole = _size(path) // page
    missing = set(range(whole + 1, int.from_bytes(pages, "big") + 1))
    return min(missing - set(_logged(log, page)), default=0) if missing else 0


def _logged(log: Path, page: int) -> Iterator[int]:
    """The numbers of the pages that whole frames of the log hold."""
    if not log.exists():
        return
    with log.open("rb") as file:
        salts = file.read(_LOG_HEADER)[16:24]
        while len(frame := file.read(_FRAME_HEADER)) == _FRAME_HEADER and frame[8:16] == salts:
            if len(file.read(page)) == page:
                yield int.from_bytes(frame[:4], "big")


def _frames_counted(index: Path, log: Path) -> int:
    """How long the log is at least, as its index says; 0 where that is about another log."""
    head, beginning = _beginning(index, 2 * _INDEX_HEADER), _beginning(log, _LOG_HEADER)
    copies = head[:_INDEX_HEADER], head[_INDEX_HEADER:]
    if len(head) < 2 * _INDEX_HEADER or copies[0] != copies[1]:
        return 0
    page, frames = struct.unpack_from("=HI", head, 14)
    is_other = len(beginning) == _LOG_HEADER and beginning[16:24] != head[32:40]
    if is_other or not frames:
        return 0
    return _LOG_HEADER + int(frames) * (_FRAME_HEADER + _page_size(page))


def _page_size(written: int) -> int:
    return _LARGEST_PAGE if written == 1 else written


def _beginning(path: Path, length: int) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(length)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
