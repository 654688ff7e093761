"""How much a durable reservation costs: by connections, by scopes, by tenants.

Everything is on: permissions and a scope filter on the key, a policy of two quotas, a record of
each decision. Yardstick and server take turns within a round, so that both see the same machine.
"""

from collections.abc import Callable
from statistics import median
from typing import Any

import httpx

from tests.benchmarks.stand import (
    Asking,
    Load,
    Target,
    authority,
    echo,
    governed,
    middle,
    press,
)

CONNECTIONS = (1, 8, 32, 50, 100, 200)
SCOPES = (1, 2, 3, 4, 5, 6)
TENANTS = (1, 1_000)
GOVERNED = (32, 200)
USUAL = 32
"""Connections, where something else is varied."""
Advance = Callable[[], None]


def throughput(rounds: int, seconds: int, advance: Advance) -> dict[str, Any]:
    """Durable reservations a second against echoes a second, by connections."""
    echoes: dict[int, list[Load]] = {connections: [] for connections in CONNECTIONS}
    found: dict[int, list[Load]] = {connections: [] for connections in CONNECTIONS}
    sizes: dict[int, list[int]] = {connections: [] for connections in CONNECTIONS}
    for _ in range(rounds):
        for connections in CONNECTIONS:
            with echo() as yardstick:
                load = press(yardstick, connections=connections, seconds=seconds)
                echoes[connections].append(load)
            advance()
            with authority(sizes[connections]) as server:
                load = press(governed(server), connections=connections, seconds=seconds)
                found[connections].append(load)
            advance()
    return {
        str(connections): _against(middle(echoes[connections]), middle(found[connections]))
        | {"median_batch": median(sizes[connections])}
        for connections in CONNECTIONS
    }


def _against(yardstick: Load, cycles: Load) -> dict[str, float]:
    return {
        "echo_per_s": round(yardstick.rate),
        "reserve_per_s": round(cycles.rate),
        "ratio": round(cycles.rate / yardstick.rate, 2),
        "echo_p50_ms": round(yardstick.p50, 2),
        "echo_p99_ms": round(yardstick.p99, 2),
        "reserve_p50_ms": round(cycles.p50, 2),
        "reserve_p99_ms": round(cycles.p99, 2),
        "echo_cpu_us": round(yardstick.cpu_us),
        "reserve_cpu_us": round(cycles.cpu_us),
        "cpu_ratio": round(yardstick.cpu_us / cycles.cpu_us, 2) if cycles.cpu_us else 0.0,
    }


def governing(rounds: int, seconds: int, advance: Advance) -> dict[str, Any]:
    """Reservations a second under a narrow key and a policy of two quotas, against neither."""
    found: dict[tuple[int, bool], list[Load]] = {}
    for _ in range(rounds):
        for connections in GOVERNED:
            for is_governed in (False, True):
                with authority() as server:
                    target = governed(server) if is_governed else server
                    load = press(target, connections=connections, seconds=seconds)
                    found.setdefault((connections, is_governed), []).append(load)
            advance()
    rows: dict[str, Any] = {}
    for connections in GOVERNED:
        without, under = (middle(found[connections, is_governed]) for is_governed in (False, True))
        rows[str(connections)] = {
            "without_per_s": round(without.rate),
            "under_per_s": round(under.rate),
            "ratio": round(under.rate / without.rate, 2),
            "cpu_ratio": round(without.cpu_us / under.cpu_us, 2) if under.cpu_us else 0.0,
        }
    return rows


def scopes(rounds: int, seconds: int, advance: Advance) -> dict[str, Any]:
    """Reservations a second by how many scopes each has, at 32 connections."""
    found: dict[int, list[Load]] = {count: [] for count in SCOPES}
    for _ in range(rounds):
        for count in SCOPES:
            with authority() as server:
                asking = Asking(scopes=count)
                load = press(server, connections=USUAL, seconds=seconds, asking=asking)
                found[count].append(load)
            advance()
    return {str(count): row_of(middle(found[count])) for count in SCOPES}


def tenants(rounds: int, seconds: int, advance: Advance) -> dict[str, Any]:
    """One hot tenant against a thousand, each with a key and a budget of its own."""
    found: dict[int, list[Load]] = {count: [] for count in TENANTS}
    for _ in range(rounds):
        for count in TENANTS:
            with authority() as server:
                asking = Asking(callers=_callers(server, count))
                load = press(server, connections=USUAL, seconds=seconds, asking=asking)
                found[count].append(load)
            advance()
    rows: dict[str, Any] = {str(count): row_of(middle(found[count])) for count in TENANTS}
    one, many = (middle(found[count]).rate for count in TENANTS)
    return rows | {"ratio": round(one / many, 2)}


def _callers(server: Target, count: int) -> tuple[tuple[str, str], ...]:
    admin = {"X-Admin-API-Key": server.admin_key}
    budget = {"unit": "USD_MICROCENTS", "allocated": {"unit": "USD_MICROCENTS", "amount": 10**15}}
    made: list[tuple[str, str]] = []
    with httpx.Client(base_url=server.base_url) as client:
        for number in range(count):
            tenant = f"tenant-{number}"
            names = {"tenant_id": tenant, "name": tenant}
            client.post("/v1/admin/tenants", json=names, headers=admin)
            key = client.post("/v1/admin/api-keys", json=names, headers=admin)
            secret = key.raise_for_status().json()["key_secret"]
            own = {"X-Cycles-API-Key": secret}
            body = budget | {"scope": f"tenant:{tenant}"}
            client.post("/v1/admin/budgets", json=body, headers=own).raise_for_status()
            made.append((secret, tenant))
    return tuple(made)


def row_of(load: Load) -> dict[str, float]:
    return {
        "reserve_per_s": round(load.rate),
        "p50_ms": round(load.p50, 2),
        "p99_ms": round(load.p99, 2),
    }
