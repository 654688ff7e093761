"""The processes that are measured, and the load that measures them."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

LUA = Path(__file__).with_name("reserve.lua")
TENANT = "bench"
BUDGET = "10000000usd"


@dataclass(frozen=True)
class Target:
    """Something that answers `POST /v1/reservations`."""

    name: str
    base_url: str
    api_key: str = "none"
    admin_key: str = "none"


@dataclass(frozen=True)
class Load:
    """What one run of wrk measured; latencies in ms."""

    rate: float
    p50: float
    p99: float


def echo() -> AbstractContextManager[Target]:
    """The yardstick."""
    return _running("echo")


def model() -> AbstractContextManager[Target]:
    """A model to call."""
    return _running("model")


@contextmanager
def _running(name: str) -> Iterator[Target]:
    """A module of ours in a process of its own, which says where it serves."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.benchmarks.{name}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Target(name, process.stdout.readline().strip())
    finally:
        process.stdin.close()
        process.wait(timeout=30)


@contextmanager
def authority(sizes: list[int] | None = None) -> Iterator[Target]:
    """Our server on a new SQLite file; the sizes of its batches are added to `sizes`."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "sizes.json")
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.benchmarks.served", str(report), "--json"),
                *("--port", "0", "--tenant", TENANT, "--budget", BUDGET),
                *("--store", f"sqlite:///{folder}/bench.db"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            yield Target("cycles", told["base_url"], told["api_key"], told["admin_key"])
        finally:
            process.terminate()
            process.wait(timeout=30)
            if sizes is not None:
                sizes += json.loads(report.read_text())


def press(target: Target, *, connections: int, seconds: int) -> Load:
    """Let wrk ask for reservations over this many connections, after a second of warm-up."""
    _wrk(target, connections, 1)
    told = json.loads(_wrk(target, connections, seconds).splitlines()[-1])
    if told["failed"]:
        raise SystemExit(f"{target.name}: {told['failed']} requests failed")
    return Load(told["requests"] / told["seconds"], told["p50_ms"], told["p99_ms"])


def _wrk(target: Target, connections: int, seconds: int) -> str:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(LUA), target.base_url]
    keys = ["--", f"{time.time_ns():x}", target.api_key]
    return subprocess.run([*command, *keys], capture_output=True, text=True, check=True).stdout


def middle(loads: list[Load]) -> Load:
    """The median of each figure."""
    return Load(
        median(load.rate for load in loads),
        median(load.p50 for load in loads),
        median(load.p99 for load in loads),
    )
