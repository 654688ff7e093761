"""A demo in a real terminal, and what it has written there."""

import os
import re
import sys

import pexpect

CURSOR_UP = re.compile(r"\x1b\[(\d*)A")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(demo: str, columns: int, rows: int, *arguments: str) -> "pexpect.spawn[str]":
    """Start a demo in a terminal of this size."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "runcycles_server", "demo", demo, *arguments],
        dimensions=(rows, columns),
        encoding="utf-8",
        codec_errors="replace",  # the echo of a Ctrl-C falls between two bytes of a frame
        timeout=40,
        env={**os.environ, "TERM": "xterm-256color"},
    )


def rows_of(output: str) -> list[str]:
    """Return everything that was ever written as one row of the screen."""
    return [_CONTROL.sub("", row) for row in re.split(r"[\r\n]+", output)]
