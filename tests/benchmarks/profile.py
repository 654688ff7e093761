"""Where the time of a reservation goes: the calls and the CPU time of one, under a batch of 32.

Run as `uv run python -m tests.benchmarks.profile [--calls]`. Without a socket and without other
processes, and so repeatable where the load of a machine is not; `--calls` lists the functions.
"""

import asyncio
import cProfile
import gc
import json
import pstats
import sys
import tempfile
import time
from typing import Any

from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.governance.keys import commands as keys
from runcycles_server.governance.keys.bodies import KeyCreate
from runcycles_server.http.serving import opened
from runcycles_server.settings import Settings

BATCH = 32
BATCHES = 200
ADMIN_KEY = "admin-key-of-the-profile-0123456789"
ADMIN = [(b"x-admin-api-key", ADMIN_KEY.encode())]
UNIT = "USD_MICROCENTS"
Header = tuple[bytes, bytes]


async def asked(app: Any, path: str, body: dict[str, Any], headers: list[Header]) -> dict[str, Any]:
    """One request, answered without a connection."""
    said = json.dumps(body).encode()
    answer: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": said, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        answer.append(message)

    sent = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [*sent, *headers],
        "client": ("127.0.0.1", 1),
        "path_params": {},
    }
    await app(scope, receive, send)
    if answer[0]["status"] >= 400:
        raise SystemExit(answer[1]["body"].decode())
    found: dict[str, Any] = json.loads(answer[1]["body"])
    return found


async def governed(app: Any, operator: Any) -> list[Header]:
    """A tenant under a policy of two quotas; a key that may do little, as a header."""
    await asked(app, "/v1/admin/tenants", {"tenant_id": "bench", "name": "bench"}, ADMIN)
    every = await keys.create(operator, KeyCreate(tenant_id="bench", name="every"), Actor())
    own = [(b"x-cycles-api-key", every.key_secret.encode())]
    allocated = {"unit": UNIT, "amount": 10**15}
    budget = {"scope": "tenant:bench", "unit": UNIT, "allocated": allocated}
    await asked(app, "/v1/admin/budgets", budget, own)
    limits = [
        {"action_kind": "llm.completion", "max_calls": 100_000, "window": window}
        for window in ("per_hour_tumbling", "per_day_tumbling")
    ]
    policy = {"name": "all", "scope_pattern": "tenant:bench", "action_quotas": limits}
    await asked(app, "/v1/admin/policies", policy, own)
    narrow = KeyCreate(
        tenant_id="bench",
        name="narrow",
        permissions=("reservations:create",),
        scope_filter=("agent:bot",),
    )
    made = await keys.create(operator, narrow, Actor())
    return [(b"x-cycles-api-key", made.key_secret.encode())]


def question(number: int) -> dict[str, Any]:
    """One reservation."""
    return {
        "idempotency_key": f"k-{number:09}",
        "subject": {"tenant": "bench", "agent": "bot"},
        "action": {"kind": "llm.completion", "name": "gpt-4o"},
        "estimate": {"unit": UNIT, "amount": 1_000},
        "ttl_ms": 60_000,
    }


async def main() -> None:
    """Measure, then count."""
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/profile.db"
        settings = Settings(store=store, admin_key=ADMIN_KEY, access_log=None)
        async with opened(settings, lambda: 0) as (app, _, operator):
            headers = await governed(app, operator)
            count = 0

            async def batch() -> None:
                nonlocal count
                count += BATCH
                await asyncio.gather(
                    *(
                        asked(app, "/v1/reservations", question(number), headers)
                        for number in range(count - BATCH, count)
                    )
                )

            for _ in range(BATCHES // 10):
                await batch()
            gc.freeze()
            times: list[float] = []
            for _ in range(BATCHES):
                started = time.thread_time()
                await batch()
                times.append((time.thread_time() - started) / BATCH * 1e6)
            times.sort()
            with cProfile.Profile() as profile:
                for _ in range(BATCHES // 4):
                    await batch()
            found = pstats.Stats(profile)
            calls = getattr(found, "total_calls") / (BATCH * BATCHES // 4)  # noqa: B009 - untyped
            print(f"{times[0]:.0f} µs at best, {times[BATCHES // 2]:.0f} µs in the middle")
            print(f"{calls:.0f} calls a reservation")
            if "--calls" in sys.argv:
                found.sort_stats("tottime").print_stats(60)


if __name__ == "__main__":
    asyncio.run(main())
