"""What a store that holds much costs: reserving, listing, and forgetting what is old."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from tests.benchmarks.filling import fill
from tests.benchmarks.loads import USUAL, row_of
from tests.benchmarks.stand import (
    TENANT,
    Asking,
    Load,
    authority,
    governed,
    middle,
    press,
    resident_mb,
)

STORED = (1_000, 10_000, 100_000, 1_000_000)
KEYS = ("ordered", "random")
PAGES = 11
OLD = 200_000
"""Reservations whose retention is over, which are forgotten while others are made."""
RETENTION_MS = 40 * 86_400_000
SORTS = ("created_at_ms", "expires_at_ms", "reserved", "reservation_id", "scope_path", "status")
Advance = Callable[[], None]


def stored(rounds: int, seconds: int, advance: Advance) -> dict[str, Any]:
    """Reservations a second by how many are stored, with keys that grow and with random ones."""
    found: dict[tuple[str, int], list[Load]] = {}
    memory: dict[int, float] = {}
    sizes = (0, *STORED)
    with tempfile.TemporaryDirectory() as folder:
        full = {size: Path(folder, f"{size}.db") for size in STORED}
        for size, path in full.items():
            fill(path, TENANT, size, now_ms=_now_ms())
        advance()
        for keys in [each for _ in range(rounds) for each in KEYS]:
            for size in sizes:
                with copied(full.get(size)) as path, authority(store=path) as server:
                    load = press(
                        governed(server),
                        connections=USUAL,
                        seconds=seconds,
                        asking=Asking(keys=keys),
                    )
                    found.setdefault((keys, size), []).append(load)
                    memory[size] = max(memory.get(size, 0.0), resident_mb(server))
            advance()
    empty = middle(found["ordered", 0]).rate
    return {
        keys: {
            str(size): row_of(middle(found[keys, size]))
            | {
                "of_empty": round(middle(found[keys, size]).rate / empty, 2),
                "rss_mb": round(memory[size]),
            }
            for size in sizes
        }
        for keys in KEYS
    }


def lists(size: int, advance: Advance) -> dict[str, Any]:
    """The p50 of a page of fifty, in ms, from so many reservations, by order and filter."""
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    filters = {
        "none": {},
        "ACTIVE": {"status": "ACTIVE"},
        "COMMITTED": {"status": "COMMITTED"},
        "one agent of 1000": {"agent": "agent-7"},
        "made this hour": {"from": hour_ago.isoformat()},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.db")
        fill(path, TENANT, size, now_ms=_now_ms())
        headers: dict[str, str] = {}
        with (
            authority(store=path) as server,
            httpx.Client(base_url=server.base_url, timeout=60) as client,
        ):
            headers["X-Cycles-API-Key"] = server.api_key
            rows = {
                name: {
                    f"{sort_by} {direction}": _page_ms(
                        client,
                        {**given, "sort_by": sort_by, "sort_dir": direction},
                        headers,
                    )
                    for sort_by in SORTS
                    for direction in ("asc", "desc")
                }
                for name, given in filters.items()
            }
    advance()
    return {"stored": size, "p50_ms": rows}


def _page_ms(client: httpx.Client, query: dict[str, str], headers: dict[str, str]) -> float:
    times: list[float] = []
    for _ in range(PAGES):
        started = time.perf_counter()
        client.get("/v1/reservations", params=query, headers=headers).raise_for_status()
        times.append(time.perf_counter() - started)
    return round(median(times) * 1_000, 1)


def purging(rounds: int, seconds: int, advance: Advance) -> dict[str, Any]:
    """Reserving while the sweeper forgets, against reserving while there is nothing to forget."""
    found: dict[str, list[Load]] = {"nothing": [], "much": []}
    with tempfile.TemporaryDirectory() as folder:
        ages = {"nothing": _now_ms(), "much": _now_ms() - RETENTION_MS}
        full = {name: Path(folder, f"{name}.db") for name in ages}
        for name, path in full.items():
            fill(path, TENANT, OLD, now_ms=ages[name])
        for _ in range(rounds):
            for name in ages:
                with copied(full[name]) as path, authority(store=path) as server:
                    load = press(governed(server), connections=50, seconds=seconds)
                    found[name].append(load)
            advance()
    return {name: row_of(middle(loads)) for name, loads in found.items()}


@contextmanager
def copied(full: Path | None) -> Iterator[Path]:
    """A copy of a store, so that each run finds it as it was; None is a new one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.db")
        if full is not None:
            shutil.copy(full, path)
            os.sync()  # else the disk is still busy with the copy while the server waits for it
        yield path


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
