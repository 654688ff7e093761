"""The services a demo stands on, started for it alone and gone with it."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runcycles_demos.kit.processes import Check, Child, Command, end_all
from runcycles_demos.kit.trouble import StackError

READY_S = 20.0  # far more than it takes; a loaded machine may be slow to start an interpreter

LEASH = "runcycles_demos.kit.leash"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The processes of a demo as commands; what is real can be exchanged here, and only here.

    A service says one JSON object when it is ready. The authority is told where to keep its
    ledger with `--store`, and where to keep its log with `--access-log`.
    """

    model: Command = field(
        default_factory=lambda: Command(
            module="runcycles.testing.model_server", arguments=("--until-stdin-closes",)
        )
    )
    authority: Command = field(
        default_factory=lambda: Command(
            module=LEASH, arguments=("runcycles_server.cli:main", "dev", "--json", "--port", "0")
        )
    )
    agents: Mapping[str, Command] = field(default_factory=dict)  # by lane; the demo knows its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """How the started authority is reached; its admin key makes budgets and nothing else."""

    base_url: str
    api_key: str
    tenant: str
    admin_key: str

    def environment(self, subject: Mapping[str, str]) -> dict[str, str]:
        """Return what an agent's process is given, for `CyclesConfig.from_env`."""
        levels = {f"CYCLES_{level.upper()}": name for level, name in subject.items()}
        return {
            "CYCLES_BASE_URL": self.base_url,
            "CYCLES_API_KEY": self.api_key,
            "CYCLES_TENANT": self.tenant,
            **levels,
        }


def authority_of(told: Mapping[str, Any]) -> Authority:
    """Return what a server has said of itself when it was ready.

    Raises:
        StackError: it has left something out.
    """
    try:
        return Authority(**{field.name: told[field.name] for field in fields(Authority)})
    except KeyError as exc:
        raise StackError(f"The server did not say its {exc.args[0]}.") from exc


def spare_loopback() -> None:
    """See that a proxy named in the environment is not asked for what runs on this machine."""
    for name in ("NO_PROXY", "no_proxy"):
        spared = os.environ.get(name, "")
        if LOOPBACK not in spared.split(","):
            os.environ[name] = f"{spared},{LOOPBACK}".lstrip(",")


class RunningStack:
    """Started processes and their folder; leaving it ends the former and removes the latter."""

    def __init__(self, stack: Stack, check: Check) -> None:
        self.stack = stack
        spare_loopback()
        self._check = check
        self._children: list[Child] = []
        self.folder = Path(tempfile.mkdtemp(prefix="cycles-demo-"))

    def start(self, name: str, command: Command) -> Child:
        """Start one process; it ends with the others."""
        self._check()
        child = Child(name, command, self.folder)
        self._children.append(child)
        return child

    def end(self, name: str) -> None:
        """End the process of this name, and wait until it is gone."""
        ended = [child for child in self._children if child.name == name]
        end_all(ended)
        self._children = [child for child in self._children if child not in ended]

    def ready(self, child: Child, *, within_s: float = READY_S) -> dict[str, Any]:
        """Wait until a process says its first JSON object.

        Raises:
            StackError: it died, said something else, or took too long.
        """
        return child.document(within_s=within_s, check=self._check)

    def start_model(self, *arguments: str) -> Child:
        """Start the scripted provider."""
        return self.start("model", self.stack.model.plus(*arguments))

    def start_authority(self, name: str = "authority") -> Child:
        """Start a Cycles server on a ledger of its own."""
        store = f"sqlite:///{self.folder / name}.db"  # four slashes in all: an absolute path
        log = str(self.access_log(name))
        return self.start(name, self.stack.authority.plus("--store", store, "--access-log", log))

    def access_log(self, name: str = "authority") -> Path:
        """Return where a server of this name keeps its log."""
        return self.folder / f"{name}.log"

    def check(self) -> None:
        """Raise if somebody asked to stop, or if a service has died.

        Raises:
            StackError: a process ended that should not have.
            StoppedError: somebody asked to stop.
        """
        self._check()
        for child in self._children:
            if child.exit_code not in (None, 0):
                raise child.trouble(f"ended by itself with {child.exit_code}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        end_all(self._children)
        shutil.rmtree(self.folder, ignore_errors=True)
