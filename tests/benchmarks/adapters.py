"""What a guard costs per call in each framework: a team of agents run guarded and unguarded.

The team makes two model calls and two tool calls, over loopback; the difference of the two runs,
divided by the four questions, is put against two bare posts to the same server.
"""

import importlib
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any

import httpx

from runcycles import CyclesClient, CyclesConfig
from runcycles.adapter_suite import Toolbox
from runcycles.calls import CallGuards
from runcycles.testing.model_server import ModelServer
from tests.benchmarks.stand import TENANT, Target, authority

ENGINES = {
    "langchain": "Guarded",
    "openai_agents": "Guarded",
    "crewai": "Engine",
}
RUNS = 40
WARM_UP = 5
QUESTIONS = 4
SCENARIO, MODE = "tools", "sync"


def adapters(rounds: int, advance: Callable[[], None]) -> dict[str, Any]:
    """The overhead per guarded call, in ms and against two posts, by framework."""
    found: dict[str, Any] = {}
    for name, guarded_engine in ENGINES.items():
        engine = importlib.import_module(f"tests.adapters.{name}.engine")
        remote: list[dict[str, float]] = []
        local: list[dict[str, float]] = []
        for _ in range(rounds):
            guarded, bare = getattr(engine, guarded_engine)(), engine.Unguarded()
            with authority() as server:
                config = CyclesConfig(
                    base_url=server.base_url, api_key=server.api_key, tenant=TENANT
                )
                with CyclesClient(config) as client:
                    remote.append(_overhead(guarded, bare, engine.TEAM, client))
                remote[-1]["posts_ms"] = _two_posts(server)
            url = f"embedded:?tenant={TENANT}&budget=1000000usd"
            with CyclesClient(CyclesConfig(base_url=url)) as client:
                local.append(_overhead(guarded, bare, engine.TEAM, client))
            advance()
        found[name] = _row(remote, local)
    return found


def _row(remote: list[dict[str, float]], local: list[dict[str, float]]) -> dict[str, float]:
    p50, p95, posts = (
        median(each[name] for each in remote) for name in ("p50_ms", "p95_ms", "posts_ms")
    )
    return {
        "over_http_p50_ms": round(p50, 2),
        "over_http_p95_ms": round(p95, 2),
        "two_posts_p50_ms": round(posts, 2),
        "ratio_p50": round(p50 / posts, 2),
        "embedded_p50_ms": round(median(each["p50_ms"] for each in local), 2),
    }


def _overhead(guarded: Any, bare: Any, team: Any, client: CyclesClient) -> dict[str, float]:
    """Guarded minus unguarded, per question; runs alternate, so both meet the same machine."""
    times: dict[str, list[float]] = {"guarded": [], "bare": []}
    calls = CallGuards(client)  # made once, as a program does
    with ModelServer(team) as model:
        for number in range(WARM_UP + RUNS):
            for name, engine in (("guarded", guarded), ("bare", bare)):
                started = time.perf_counter()
                engine.run(SCENARIO, MODE, url=model.url("bench"), client=calls, toolbox=Toolbox())
                if number >= WARM_UP:
                    times[name].append((time.perf_counter() - started) * 1_000)
    p50 = median(times["guarded"]) - median(times["bare"])
    p95 = _p95(times["guarded"]) - _p95(times["bare"])
    return {"p50_ms": p50 / QUESTIONS, "p95_ms": p95 / QUESTIONS}


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]


def _two_posts(server: Target) -> float:
    """Reserve and commit by hand, with nothing around them."""
    times: list[float] = []
    headers = {"X-Cycles-API-Key": server.api_key}
    amount = {"unit": "USD_MICROCENTS", "amount": 1_000}
    with httpx.Client(base_url=server.base_url, headers=headers) as client:
        for number in range(200):
            asked = {
                "idempotency_key": f"bare-{time.time_ns()}-{number}",
                "subject": {"tenant": TENANT},
                "action": {"kind": "llm.completion", "name": "gpt-4o"},
                "estimate": amount,
            }
            started = time.perf_counter()
            held = client.post("/v1/reservations", json=asked).json()["reservation_id"]
            done = {"idempotency_key": asked["idempotency_key"], "actual": amount}
            client.post(f"/v1/reservations/{held}/commit", json=done)
            times.append((time.perf_counter() - started) * 1_000)
    return median(times[20:])
