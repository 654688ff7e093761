"""The example of a package, run as a stranger runs it: as it is, or with its guard taken away."""

import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runcycles.testing.model_server import (
    ModelRequest,
    ModelServer,
    RefineLoop,
    Reply,
    ScriptError,
)

WITHIN_S = 120
PATIENCE = 20
"""The calls that the model answers before it fails; the budget of an example pays for fewer."""


@dataclass(frozen=True)
class Ended:
    """What became of an example, and how many requests reached the model."""

    code: int
    out: str
    error: str
    requests: int


def patient(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
    """Never content, for a while."""
    if call > PATIENCE:
        raise ScriptError("nobody stops")
    return RefineLoop()(request, call, rng)


def run_example(
    example: Path, folder: Path, *, guard: str | None = None, bare: str | None = None
) -> Ended:
    """Run a file in a folder; with `bare` in place of its `guard`, where these are given."""
    source = example.read_text(encoding="utf-8")
    if guard is not None and bare is not None:
        assert guard in source
        source = source.replace(guard, bare)
    path = folder / example.name
    path.write_text(source, encoding="utf-8")
    with ModelServer(patient) as server:
        ended = subprocess.run(
            [sys.executable, str(path)],
            env={
                **os.environ,
                "OPENAI_BASE_URL": server.url("demo"),
                "OPENAI_API_KEY": "none",
                "CREWAI_STORAGE_DIR": str(folder),
            },
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        requests = server.meter("demo").requests
    return Ended(ended.returncode, ended.stdout, ended.stderr, requests)
