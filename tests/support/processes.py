"""The `cycles` command as a process of its own, as a user's shell would start it."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

WITHIN_S = 20
"""How long a process may take to say something or to end, on a busy machine and measured."""
COMMAND = (sys.executable, "-m", "runcycles_server")


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without any setting of ours, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CYCLES_")}
    return {**kept, "COLUMNS": "120", "NO_COLOR": "1", **extra}


class Process:
    """A command that serves until it is told to stop."""

    def __init__(self, started: "subprocess.Popen[str]", errors: IO[str]) -> None:
        self.started = started
        self._errors = errors
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="stdout")
        self._reader.start()

    def _read(self) -> None:
        assert self.started.stdout is not None
        for line in self.started.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def line(self) -> str:
        """The next line it prints; a process that stays silent fails the test."""
        line = self._lines.get(timeout=WITHIN_S)
        assert line is not None, f"the process ended: {self.errors()}"
        return line

    def said(self) -> dict[str, Any]:
        """The next line it prints, as JSON."""
        found: dict[str, Any] = json.loads(self.line())
        return found

    def errors(self) -> str:
        """What it has written to standard error so far."""
        self._errors.seek(0)
        return self._errors.read()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal, wait for the end; the exit code and what it had left to say."""
        self.started.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str, str]:
        """Wait for the end; the exit code and what it had left to say."""
        code = self.started.wait(WITHIN_S)
        self._reader.join(WITHIN_S)
        rest = [self._lines.get() for _ in range(self._lines.qsize())]
        return code, "".join(line for line in rest if line), self.errors()


@contextlib.contextmanager
def running(
    *arguments: str,
    cwd: Path,
    env: dict[str, str] | None = None,
    before: tuple[str, ...] = (),
) -> Iterator[Process]:
    """A command that serves; killed at the end if it still runs. `before` is what runs it."""
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [*before, *COMMAND, *arguments],
            cwd=cwd,
            env=env or environment(),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as started,
    ):
        process = Process(started, errors)
        try:
            yield process
        finally:
            if started.poll() is None:
                started.kill()
            process.ended()
