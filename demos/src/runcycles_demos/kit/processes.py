"""The demo's processes: each in a group of its own, on a leash (`leash`), and ended by its id."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from runcycles_demos.kit.trouble import StackError

_TICK_S = 0.05
_END_S = 5.0  # for an orderly end
_TAIL_LINES = 12

Check = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A Python module to run, with its arguments and what it finds in its environment."""

    module: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def plus(self, *arguments: str, **environment: str) -> "Command":
        """Return the command with more arguments and more environment."""
        return Command(
            module=self.module,
            arguments=(*self.arguments, *arguments),
            environment={**self.environment, **environment},
        )


class Child:
    """One process of the demo; what it says on either channel is kept in the folder's files."""

    def __init__(self, name: str, command: Command, folder: Path) -> None:
        self.name = name
        self.errors = folder / f"{name}.err"
        self.output = folder / f"{name}.out"
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        with self.errors.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                # -P: a module of that name in the user's folder is not meant
                [sys.executable, "-P", "-m", command.module, *command.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**_surroundings(), **command.environment},
                start_new_session=True,  # a Ctrl-C in the terminal reaches the parent alone
            )
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), name=f"{name}-reader", daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's id, which is also that of its group."""
        return self._process.pid

    def say(self, line: str) -> None:
        """Write one line to the process; one that has gone does not hear it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def heard(self) -> list[str]:
        """Return the lines it has written since the last time."""
        lines = []
        with contextlib.suppress(queue.Empty):
            while True:
                lines.append(self._lines.get_nowait())
        return lines

    def document(self, *, within_s: float, check: Check) -> dict[str, Any]:
        """Wait for the next line and read it as a JSON object.

        Raises:
            StackError: the process died, said something else, or took too long.
        """
        end = time.monotonic() + within_s
        while True:
            check()
            with contextlib.suppress(queue.Empty):
                return self._read_document(self._lines.get(timeout=_TICK_S))
            if self.ended:
                raise self.trouble("ended before it was ready")
            if time.monotonic() > end:
                raise self.trouble(f"was not ready within {within_s:g} s")

    @property
    def ended(self) -> bool:
        """Whether it has ended and all it said has been read."""
        return self._process.poll() is not None and not self._reader.is_alive()

    @property
    def exit_code(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._process.poll()

    def trouble(self, what: str) -> StackError:
        """Return the sentence that says what happened, with the end of what the process said."""
        said = self.errors.read_text(encoding="utf-8", errors="replace").splitlines()
        tail = "\n".join(["", *(f"  {line}" for line in said[-_TAIL_LINES:])]) if said else ""
        return StackError(f"The {self.name} process {what}.{tail}")

    def ask_to_end(self) -> None:
        """Send SIGTERM to its group."""
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """Wait for the end, and enforce it if it does not come; returns when it is gone."""
        try:
            self._process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
            self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._reader.join(timeout=_END_S)

    def _signal(self, number: int) -> None:
        if self._process.poll() is not None:
            return  # its id may belong to somebody else by now
        if sys.platform == "win32":
            self._process.terminate()
        else:
            os.killpg(self._process.pid, number)

    def _read(self, stream: IO[bytes]) -> None:
        with stream, self.output.open("wb") as kept:
            for line in stream:
                kept.write(line)
                kept.flush()
                self._lines.put(line.decode(errors="replace").rstrip("\n"))

    def _read_document(self, line: str) -> dict[str, Any]:
        try:
            document = json.loads(line)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise self.trouble(f"said {line[:200]!r} where a JSON object was expected")
        return document


def _surroundings() -> dict[str, str]:
    """The environment without the user's own Cycles settings, which are not meant for a demo."""
    return {name: text for name, text in os.environ.items() if not name.startswith("CYCLES_")}


def end_all(children: Sequence[Child]) -> None:
    """End the processes, all of them at once rather than one after the other."""
    for child in children:
        child.ask_to_end()
    for child in children:
        child.end()
