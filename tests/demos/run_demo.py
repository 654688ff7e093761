"""The demos as a test runs them: as a user would, or in this process on another stack."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from runcycles_demos.kit.stack import Stack
from runcycles_demos.runaway.terms import Terms

Show = Callable[[Sequence[Terms], Stack], tuple[int, dict[str, Any]]]
"""Runs scenes in this process; returns the exit code and the document."""


def cycles(
    *arguments: str, demo: str = "runaway", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a demo in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "runcycles_server", "demo", demo, *arguments],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env={**os.environ, **environment},
    )


def document(*arguments: str, demo: str = "runaway") -> dict[str, Any]:
    """Run it to a good end, and return its document."""
    done = cycles("--json", *arguments, demo=demo)
    assert done.returncode == 0, done.stderr + done.stdout
    told: dict[str, Any] = json.loads(done.stdout)
    assert (told["complete"], told["ok"]) == (True, True)
    return told


def scene(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one scene of a document."""
    (found,) = [each for each in document["scenes"] if each["name"] == name]
    assert isinstance(found, dict)
    return found


def ids(scene: dict[str, Any], *, ok: bool | None) -> list[str]:
    """Return the sentences of a scene that were judged so."""
    return [verdict["id"] for verdict in scene["assertions"] if verdict["ok"] is ok]
