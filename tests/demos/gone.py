"""Waiting for processes to end, without sleeping."""

import contextlib
import os
import select
from collections.abc import Iterable
from pathlib import Path


def wait_until_gone(pid: int, *, within_s: float = 10.0) -> bool:
    """Return whether a process, of whatever parent, is gone in time."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        readable, _, _ = select.select([watched], [], [], within_s)
        return bool(readable)
    finally:
        os.close(watched)


def descendants(pid: int) -> list[int]:
    """Return the ids of a process's children and of theirs."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def still_there(pids: Iterable[int]) -> list[int]:
    """Return those of the processes that do not go away."""
    return [pid for pid in pids if not wait_until_gone(pid)]
