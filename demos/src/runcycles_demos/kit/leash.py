"""A process on a leash ends when the process that started it ends, however that happened.

The leash is the child's standard input: a pipe whose other end only the parent holds. A parent
that is killed closes it like any other, so nothing is left behind that would have to be hunted.

`python -m runcycles_demos.kit.leash MODULE:FUNCTION [ARGUMENT …]` calls an entry point on a leash.
"""

import importlib
import os
import queue
import signal
import sys
import threading
from types import FrameType

_GRACE_S = 5.0  # for an orderly end, before the hard one


Lines = queue.SimpleQueue[str]


def hold() -> Lines:
    """From now on, end when standard input closes: by SIGTERM, then without asking.

    Returns the lines that are said on it until then, as they come.
    """
    lines: Lines = queue.SimpleQueue()
    threading.Thread(target=_wait_for_the_end, args=(lines,), name="leash", daemon=True).start()
    return lines


def _wait_for_the_end(lines: Lines) -> None:
    # The descriptor itself: a thread waiting inside sys.stdin could not be left at exit.
    said = b""
    while more := os.read(0, 4096):
        *whole, said = (said + more).split(b"\n")
        for line in whole:
            lines.put(line.decode())
    threading.Timer(_GRACE_S, os._exit, args=(1,)).start()
    os.kill(os.getpid(), signal.SIGTERM)


def _exit(_signum: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    """Call the function named by the first argument as its console script would, on a leash."""
    signal.signal(signal.SIGTERM, _exit)  # unless the function knows a better way to end
    hold()
    module, _, function = sys.argv[1].partition(":")
    sys.argv = sys.argv[1:]
    getattr(importlib.import_module(module), function)()


if __name__ == "__main__":
    main()
