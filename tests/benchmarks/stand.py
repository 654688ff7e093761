"""The processes that are measured, and the load that measures them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import httpx

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
    pid: int = 0


@dataclass(frozen=True)
class Load:
    """What one run of wrk measured: latencies in ms, and the CPU time of a request in µs."""

    rate: float
    p50: float
    p99: float
    cpu_us: float = 0.0


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
        yield Target(name, process.stdout.readline().strip(), pid=process.pid)
    finally:
        process.stdin.close()
        process.wait(timeout=30)


@contextmanager
def authority(sizes: list[int] | None = None, *, store: Path | None = None) -> Iterator[Target]:
    """Our server, on a new SQLite file or on this one; the sizes of its batches go to `sizes`."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "sizes.json")
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.benchmarks.served", str(report), "--json"),
                *("--port", "0", "--tenant", TENANT, "--budget", BUDGET),
                *("--store", f"sqlite:///{store or Path(folder, 'bench.db')}"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            yield Target(
                "cycles", told["base_url"], told["api_key"], told["admin_key"], process.pid
            )
        finally:
            process.terminate()
            process.wait(timeout=30)
            if sizes is not None:
                sizes += json.loads(report.read_text())


def governed(server: Target) -> Target:
    """The server with a policy of two quotas, asked with a key that may do little in one scope."""
    admin = {"X-Admin-API-Key": server.admin_key}
    own = {"X-Cycles-API-Key": server.api_key}
    limits = [
        {"action_kind": "llm.completion", "max_calls": 100_000, "window": window}
        for window in ("per_hour_tumbling", "per_day_tumbling")
    ]
    policy = {"name": "all", "scope_pattern": f"tenant:{TENANT}", "action_quotas": limits}
    key = {
        "tenant_id": TENANT,
        "name": "narrow",
        "permissions": ["reservations:create", "reservations:commit", "balances:read"],
        "scope_filter": ["agent:bot"],
    }
    with httpx.Client(base_url=server.base_url) as client:
        client.post("/v1/admin/policies", json=policy, headers=own).raise_for_status()
        made = client.post("/v1/admin/api-keys", json=key, headers=admin)
    made.raise_for_status()
    return replace(server, api_key=made.json()["key_secret"])


def resident_mb(server: Target) -> float:
    """How much memory the server's process holds now."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True)
class Asking:
    """What is asked: how many scopes a reservation has, how keys grow, and on whose behalf."""

    scopes: int = 2
    keys: str = "ordered"
    callers: tuple[tuple[str, str], ...] = ()


AS_USUAL = Asking()


def press(target: Target, *, connections: int, seconds: int, asking: Asking = AS_USUAL) -> Load:
    """Let wrk ask for reservations over this many connections, after a second of warm-up."""
    _wrk(target, connections, 1, asking)
    before_s = _cpu_s(target)
    told = json.loads(_wrk(target, connections, seconds, asking).splitlines()[-1])
    if told["failed"]:
        raise SystemExit(f"{target.name}: {told['failed']} requests failed")
    cpu_us = (_cpu_s(target) - before_s) / told["requests"] * 1e6
    return Load(told["requests"] / told["seconds"], told["p50_ms"], told["p99_ms"], cpu_us)


def _cpu_s(target: Target) -> float:
    """The CPU time that the process of a target has used; it hardly depends on who else runs."""
    stat = Path(f"/proc/{target.pid}/stat")
    if not stat.exists():  # only Linux keeps it there
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wrk(target: Target, connections: int, seconds: int, asking: Asking) -> str:
    callers = asking.callers or ((target.api_key, TENANT),)
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as file:
        file.writelines(f"{key} {tenant}\n" for key, tenant in callers)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(LUA)]
        said = [f"{time.time_ns():x}", file.name, asking.keys, str(asking.scopes)]
        command += [target.base_url, "--", *said]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def middle(loads: list[Load]) -> Load:
    """The median of each figure."""
    return Load(
        median(load.rate for load in loads),
        median(load.p50 for load in loads),
        median(load.p99 for load in loads),
        median(load.cpu_us for load in loads),
    )
