"""The file of `export` lines that `cycles dev` leaves next to its store."""

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from runcycles_server.settings import StartError

_SQLITE = "sqlite:///"


@dataclass(slots=True)
class Exports:
    """What a shell needs to know to reach the server; kept in a file where the store is one."""

    path: Path | None
    known: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def beside(cls, store: str) -> Self:
        """The exports of a store, as an earlier run left them.

        Raises:
            StartError: where the file is there but cannot be read.
        """
        if not store.startswith(_SQLITE):
            return cls(None)
        path = Path(store.removeprefix(_SQLITE) + ".env")
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls(path)
        except (OSError, UnicodeDecodeError) as problem:
            raise StartError(f"cannot read {path}: {problem}") from problem
        return cls(path, dict(_assignments(text)))

    def keep(self, **values: str) -> None:
        """Remember these values, in the file for its owner alone."""
        self.known = values
        if self.path is None:
            return
        try:
            self.path.unlink(missing_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in self.lines(*values)))
        except OSError as problem:
            raise StartError(f"cannot write {self.path}: {problem}") from problem

    def lines(self, *names: str) -> list[str]:
        """The `export` lines of these names."""
        return [f"export {name}={shlex.quote(self.known[name])}" for name in names]


def _assignments(text: str) -> list[tuple[str, str]]:
    found = []
    for line in text.splitlines():
        name, sign, value = line.strip().removeprefix("export ").partition("=")
        if sign:
            found.append((name, "".join(shlex.split(value))))
    return found
