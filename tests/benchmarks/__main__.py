"""How fast a durable reservation is, as a ratio to an echo on the same machine in the same run.

`uv run poe bench [PART ...] [--rounds N] [--seconds N] [--json FILE] [--plots FOLDER]`. Medians
of alternating rounds; wrk shares the cores with the server. These are measurements, not tests:
nothing here can fail by being slow.
"""

import argparse
import json
import os
import platform
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from runcycles import Action, CyclesClient, CyclesConfig
from tests.benchmarks import plots
from tests.benchmarks.adapters import adapters
from tests.benchmarks.at_size import KEYS, STORED, lists, purging, stored
from tests.benchmarks.frameworks import FRAMEWORKS
from tests.benchmarks.governing import BUDGETS, COUNTS, policies, stops
from tests.benchmarks.loads import (
    CONNECTIONS,
    GOVERNED,
    SCOPES,
    TENANTS,
    governing,
    scopes,
    tenants,
    throughput,
)
from tests.benchmarks.stand import TENANT, Target, authority, echo

CALLS = 500
ACTION = Action(kind="llm.completion", name="gpt-4o")
Advance = Callable[[], None]
PARTS = {
    "throughput": 2 * len(CONNECTIONS),
    "governing": len(GOVERNED),
    "scopes": len(SCOPES),
    "tenants": len(TENANTS),
    "stored": len(KEYS),
    "lists": 1,
    "purging": 1,
    "latency": 1,
    "embedded": 1,
    "adapters": len(FRAMEWORKS),
    "policies": 1,
    "stops": 1,
}
"""What can be measured, and in how many steps a round."""


def latency(rounds: int, advance: Advance) -> dict[str, float]:
    """Reserve and commit through one sync client, against two bare posts to the echo."""
    bare: list[float] = []
    guarded: list[float] = []
    for _ in range(rounds):
        with echo() as yardstick:
            bare.append(_two_posts(yardstick))
        with authority() as server:
            config = CyclesConfig(base_url=server.base_url, api_key=server.api_key, tenant=TENANT)
            with CyclesClient(config) as client:
                guarded.append(_p50(lambda: _guarded(client)))
        advance()
    return {
        "two_posts_p50_ms": round(median(bare), 3),
        "reserve_and_commit_p50_ms": round(median(guarded), 3),
        "ratio": round(median(guarded) / median(bare), 2),
    }


def _two_posts(target: Target) -> float:
    body = {
        "idempotency_key": "k",
        "subject": {"tenant": TENANT},
        "action": {"kind": ACTION.kind, "name": ACTION.name},
        "estimate": {"unit": "USD_MICROCENTS", "amount": 1_000},
    }
    with httpx.Client(base_url=target.base_url) as client:

        def post_twice() -> None:
            client.post("/v1/reservations", json=body)
            client.post("/v1/reservations", json=body)

        return _p50(post_twice)


def _guarded(client: CyclesClient) -> None:
    with client.guard(action=ACTION, estimate=1_000) as spend:
        spend.record(900)


def _p50(call: Callable[[], None]) -> float:
    return median(_times(call)) * 1_000


def _times(call: Callable[[], None]) -> list[float]:
    times: list[float] = []
    for _ in range(CALLS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times[CALLS // 10 :]


def embedded(rounds: int, advance: Advance) -> dict[str, float]:
    """Reserve and commit through a guard, with the authority in memory inside this process."""
    times: list[float] = []
    for number in range(rounds):
        url = f"embedded:?tenant=bench{number}&budget=1000000usd"
        with CyclesClient(CyclesConfig(base_url=url)) as client:
            times += _times(lambda: _guarded(client))
        advance()
    return {
        "guard_p50_us": round(median(times) * 1_000_000, 1),
        "guard_best_us": round(min(times) * 1_000_000, 1),
    }


def show(console: Console, found: dict[str, Any]) -> None:
    """The tables that people read."""
    if rows := found.get("throughput"):
        table = Table(title="Durable POST /v1/reservations against the echo")
        headings = (
            "connections",
            "echo/s",
            "reserve/s",
            "ratio",
            "of CPU time",
            "p50 ms",
            "p99 ms",
        )
        for heading in (*headings, "batch"):
            table.add_column(heading, justify="right")
        for connections, row in rows.items():
            table.add_row(
                connections,
                f"{row['echo_per_s']:,}",
                f"{row['reserve_per_s']:,}",
                f"{row['ratio']:.2f}",
                f"{row['cpu_ratio']:.2f}",
                f"{row['reserve_p50_ms']:.2f}",
                f"{row['reserve_p99_ms']:.2f}",
                f"{row['median_batch']:.0f}",
            )
        console.print(table)
    for part in ("governing", "scopes", "tenants", "stored", "lists", "purging"):
        if rows := found.get(part):
            console.print(f"[bold]{part}[/bold]", json.dumps(rows, indent=2))
    if http := found.get("latency"):
        console.print(
            "One sync client over HTTP, reserve + commit: p50 "
            f"{http['reserve_and_commit_p50_ms']} ms, {http['ratio']} × two bare posts "
            f"({http['two_posts_p50_ms']} ms)"
        )
    if local := found.get("embedded"):
        console.print(
            f"Embedded in memory, reserve + commit: p50 {local['guard_p50_us']} µs, "
            f"at best {local['guard_best_us']} µs"
        )
    if rows := found.get("adapters"):
        table = Table(title="What a guard adds to a call of a framework, in ms")
        for heading in ("call", "p50", "p95", "two posts", "ratio", "embedded p50", "p95"):
            table.add_column(heading, justify="left" if heading == "call" else "right")
        for name, row in rows.items():
            table.add_row(name, *(f"{value:.2f}" for value in row.values()))
        console.print(table)
    if row := found.get("policies"):
        p50s = ", ".join(f"{row[f'{count}_p50_ms']} ms with {count:,}" for count in COUNTS)
        console.print(f"Reserve p50 by policies of the tenant: {p50s}: {row['ratio']} ×")
    if row := found.get("stops"):
        console.print(
            f"From a stop's answer to the first refusal, {BUDGETS:,} budgets: p50 {row['p50_ms']} "
            f"ms, at worst {row['worst_ms']} ms"
        )


def keep_frameworks_quiet() -> None:
    """Nothing of theirs leaves this machine."""
    os.environ |= {
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "CREWAI_TESTING": "true",
        "OTEL_SDK_DISABLED": "true",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "LANGSMITH_TRACING": "false",
        "OPENAI_API_KEY": "none",
    }


def needs_wrk(parts: list[str]) -> bool:
    """Whether one of these parts is measured under load."""
    return not {"throughput", "governing", "scopes", "tenants", "stored", "purging"}.isdisjoint(
        parts
    )


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """What is wanted; ends the program where that cannot be."""
    parser = argparse.ArgumentParser(prog="poe bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each run of wrk")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--plots", type=Path, help="also draw them in this folder, as SVG")
    wanted = parser.parse_args(arguments)
    wanted.parts = wanted.parts or list(PARTS)
    if unknown := set(wanted.parts) - set(PARTS):
        parser.error(f"{', '.join(unknown)} is no part; the parts are {', '.join(PARTS)}")
    return wanted


def main() -> None:
    keep_frameworks_quiet()
    wanted = parsed()
    parts = wanted.parts
    if needs_wrk(parts) and shutil.which("wrk") is None:
        print("poe bench needs wrk: apt-get install wrk, or brew install wrk", file=sys.stderr)
        sys.exit(3)
    found: dict[str, Any] = {
        "machine": {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "system": platform.platform(),
        }
    }
    with Progress(console=Console(stderr=True)) as progress:
        steps = wanted.rounds * sum(PARTS[part] for part in parts)
        task: TaskID = progress.add_task("measuring", total=steps)

        def advance() -> None:
            progress.advance(task)

        measured: dict[str, Callable[[], dict[str, Any]]] = {
            "throughput": lambda: throughput(wanted.rounds, wanted.seconds, advance),
            "governing": lambda: governing(wanted.rounds, wanted.seconds, advance),
            "scopes": lambda: scopes(wanted.rounds, wanted.seconds, advance),
            "tenants": lambda: tenants(wanted.rounds, wanted.seconds, advance),
            "stored": lambda: stored(wanted.rounds, wanted.seconds, advance),
            "lists": lambda: lists(STORED[-1], advance),
            "purging": lambda: purging(wanted.rounds, wanted.seconds, advance),
            "latency": lambda: latency(wanted.rounds, advance),
            "embedded": lambda: embedded(wanted.rounds, advance),
            "adapters": lambda: adapters(wanted.rounds, advance),
            "policies": lambda: policies(wanted.rounds, advance),
            "stops": lambda: stops(wanted.rounds, advance),
        }
        for part in parts:
            found[part] = measured[part]()
    show(Console(), found)
    if wanted.json:
        wanted.json.write_text(json.dumps(found, indent=2) + "\n")
    if wanted.plots:
        plots.keep(found, wanted.plots)


if __name__ == "__main__":
    main()
