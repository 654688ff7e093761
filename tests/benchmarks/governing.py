"""What an operator's rules cost: policies by their number, and how soon an emergency stop stops."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from typing import Any

import httpx

from tests.benchmarks.stand import TENANT, Target, authority

COUNTS = (1, 100, 1_000)
CALLS = 1_000
BUDGETS = 10_000
ASKERS = 16
UNDER_WAY = 500
"""How much agents have been allowed when they are stopped."""
UNIT = "USD_MICROCENTS"
Advance = Callable[[], None]
Asked = tuple[float, float, int]
"""When a question was sent, when its answer was there, and the status of the answer."""


def policies(rounds: int, advance: Advance) -> dict[str, Any]:
    """The p50 of a reservation, by how many policies its tenant has; one of them counts it.

    The servers are asked in turn, so that whatever else the machine does slows all of them.
    """
    times: dict[int, list[float]] = {count: [] for count in COUNTS}
    for _ in range(rounds):
        with ExitStack() as stack:
            clients = {count: _client(stack.enter_context(authority())) for count in COUNTS}
            for count, client in clients.items():
                stack.enter_context(client)
                for number in range(count):
                    _made(client, "/v1/admin/policies", _policy(number))
            for number in range(CALLS):
                for count, client in clients.items():
                    times[count].append(_reserve_s(client, number))
        advance()
    p50s = {count: median(found) * 1_000 for count, found in times.items()}
    return {
        **{f"{count}_p50_ms": round(p50, 3) for count, p50 in p50s.items()},
        "ratio": round(p50s[COUNTS[-1]] / p50s[COUNTS[0]], 2),
    }


def stops(rounds: int, advance: Advance) -> dict[str, float]:
    """From the stop's answer to the first refusal, in ms, while agents ask without a pause."""
    waits: list[float] = []
    for _ in range(rounds):
        with authority() as server:
            asyncio.run(_fill(server))
            waits.append(asyncio.run(_until_refused(server)) * 1_000)
        advance()
    return {"p50_ms": round(median(waits), 2), "worst_ms": round(max(waits), 2)}


async def _fill(server: Target) -> None:
    """Give so many agents a budget."""

    async def fill(client: httpx.AsyncClient, first: int) -> None:
        for number in range(first, BUDGETS, ASKERS):
            allocated = {"unit": UNIT, "amount": 10**9}
            scope = f"tenant:{TENANT}/agent:a{number}"
            body = {"scope": scope, "unit": UNIT, "allocated": allocated}
            (await client.post("/v1/admin/budgets", json=body)).raise_for_status()

    async with _async_client(server) as client:
        await asyncio.gather(*(fill(client, first) for first in range(ASKERS)))


async def _until_refused(server: Target) -> float:
    asked: list[Asked] = []
    under_way = asyncio.Event()

    async def ask(client: httpx.AsyncClient, asker: int) -> None:
        status, number = 200, 0
        while status == httpx.codes.OK:
            number += 1
            sent = time.perf_counter()
            body = _question(f"{asker}-{number}", f"a{(asker * 601 + number) % BUDGETS}")
            status = (await client.post("/v1/reservations", json=body)).status_code
            asked.append((sent, time.perf_counter(), status))
            if len(asked) == UNDER_WAY:
                under_way.set()

    async with _async_client(server) as client:
        asking = [asyncio.create_task(ask(client, asker)) for asker in range(ASKERS)]
        await under_way.wait()
        body = {"target": "*", "reason": "bench"}
        admin = {"X-Admin-API-Key": server.admin_key}
        answer = await client.post("/v1/x-runcycles/stops", json=body, headers=admin)
        stopped = time.perf_counter()
        answer.raise_for_status()
        await asyncio.gather(*asking)
    if late := [sent for sent, _, status in asked if sent > stopped and status == httpx.codes.OK]:
        raise SystemExit(f"{len(late)} questions were allowed that were asked after the stop")
    first = min(done for _, done, status in asked if status == httpx.codes.CONFLICT)
    return max(0.0, first - stopped)


def _policy(number: int) -> dict[str, Any]:
    """The first is for everything of the tenant, the others are for an agent each."""
    quota = {"action_kind": "llm.completion", "max_calls": 100_000, "window": "per_day_tumbling"}
    below = f"/agent:a{number}" if number else ""
    return {
        "name": f"policy {number}",
        "scope_pattern": f"tenant:{TENANT}{below}",
        "action_quotas": [quota],
    }


def _reserve_s(client: httpx.Client, number: int) -> float:
    started = time.perf_counter()
    _made(client, "/v1/reservations", _question(f"r{number}", "other"))
    return time.perf_counter() - started


def _made(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    client.post(path, json=body).raise_for_status()


def _question(key: str, agent: str) -> dict[str, Any]:
    return {
        "idempotency_key": key,
        "subject": {"tenant": TENANT, "agent": agent},
        "action": {"kind": "llm.completion", "name": "gpt-4o"},
        "estimate": {"unit": UNIT, "amount": 1},
    }


def _headers(server: Target) -> dict[str, str]:
    return {"X-Cycles-API-Key": server.api_key}


def _client(server: Target) -> httpx.Client:
    return httpx.Client(base_url=server.base_url, headers=_headers(server))


def _async_client(server: Target) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.base_url, headers=_headers(server), timeout=30)
