"""What a guard costs per model call and per tool call of each framework.

Guarded and bare calls take turns, so both meet the same machine; what the guard adds is put
against two bare posts to the same server, which took their turns as well.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any

import httpx

from runcycles import CyclesClient, CyclesConfig
from runcycles.calls import CallGuards
from tests.benchmarks.frameworks import FRAMEWORKS, KINDS
from tests.benchmarks.stand import TENANT, Target, authority, model

CALLS = 150
WARM_UP = 15
Times = dict[str, list[float]]


def adapters(rounds: int, advance: Callable[[], None]) -> dict[str, Any]:
    """What a guard adds to each kind of call, in ms and against two posts, by framework."""
    found: dict[str, Any] = {}
    for name in FRAMEWORKS:
        remote: list[dict[str, float]] = []
        local: list[dict[str, float]] = []
        for _ in range(rounds):
            with authority() as server:
                config = CyclesConfig(
                    base_url=server.base_url, api_key=server.api_key, tenant=TENANT
                )
                remote.append(_added(name, config, server))
            url = f"embedded:?tenant={TENANT}&budget=1000000usd"
            local.append(_added(name, CyclesConfig(base_url=url)))
            advance()
        for kind in KINDS:
            found[f"{name} {kind}"] = _row(kind, remote, local)
    return found


def _row(
    kind: str, remote: list[dict[str, float]], local: list[dict[str, float]]
) -> dict[str, float]:
    p50, p95, posts = (
        median(each[name] for each in remote) for name in (f"{kind} p50", f"{kind} p95", "posts")
    )
    return {
        "over_http_p50_ms": round(p50, 2),
        "over_http_p95_ms": round(p95, 2),
        "two_posts_p50_ms": round(posts, 2),
        "ratio_p50": round(p50 / posts, 2),
        "embedded_p50_ms": round(median(each[f"{kind} p50"] for each in local), 2),
        "embedded_p95_ms": round(median(each[f"{kind} p95"] for each in local), 2),
    }


def _added(name: str, config: CyclesConfig, server: Target | None = None) -> dict[str, float]:
    """Guarded minus bare, by kind of call; and two posts, where there is a server."""
    times: Times = {}
    with (
        CyclesClient(config) as client,
        model() as served,
        FRAMEWORKS[name](served.base_url, CallGuards(client)) as guarded,
        FRAMEWORKS[name](served.base_url, None) as bare,
        _two_posts(server) as posts,
    ):
        turns = {f"{kind} guarded": guarded[kind] for kind in KINDS}
        turns |= {f"{kind} bare": bare[kind] for kind in KINDS} | posts
        for number in range(WARM_UP + CALLS):
            for turn, call in turns.items():
                started = time.perf_counter()
                call()
                if number >= WARM_UP:
                    taken = (time.perf_counter() - started) * 1_000
                    times.setdefault(turn, []).append(taken)
    added = {turn: median(taken) for turn, taken in times.items() if turn == "posts"}
    for kind in KINDS:
        asked, plain = times[f"{kind} guarded"], times[f"{kind} bare"]
        added[f"{kind} p50"] = median(asked) - median(plain)
        added[f"{kind} p95"] = _p95(asked) - _p95(plain)
    return added


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]


@contextmanager
def _two_posts(server: Target | None) -> Iterator[dict[str, Callable[[], object]]]:
    """Reserve and commit by hand, with nothing around them."""
    if server is None:
        yield {}
        return
    amount = {"unit": "USD_MICROCENTS", "amount": 1_000}
    headers = {"X-Cycles-API-Key": server.api_key}
    with httpx.Client(base_url=server.base_url, headers=headers) as client:

        def post_twice() -> None:
            asked = {
                "idempotency_key": f"bare-{time.time_ns()}",
                "subject": {"tenant": TENANT},
                "action": {"kind": "llm.completion", "name": "gpt-4o"},
                "estimate": amount,
            }
            held = client.post("/v1/reservations", json=asked).json()["reservation_id"]
            done = {"idempotency_key": asked["idempotency_key"], "actual": amount}
            client.post(f"/v1/reservations/{held}/commit", json=done)

        yield {"posts": post_twice}
