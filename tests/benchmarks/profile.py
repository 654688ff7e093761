"""Where the time of a reservation goes: its CPU time in parts, and the calls it makes.

Run as `uv run python -m tests.benchmarks.profile [--calls]`. Batches of 32 through the whole
application, with everything on, but without sockets: so it can be repeated where other processes
run, and the count of calls is the same each time. `--calls` lists the functions.
"""

import asyncio
import cProfile
import gc
import inspect
import json
import pstats
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from runcycles import wire
from runcycles.ledger import apply, rules
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.governance.keys import commands as keys
from runcycles_server.governance.keys.bodies import KeyCreate
from runcycles_server.http.auth import Gate
from runcycles_server.http.serving import opened
from runcycles_server.settings import Settings
from runcycles_server.stores.sqlite.batch import BatchRunner

BATCH = 32
BATCHES = 400
ADMIN_KEY = "admin-key-of-the-profile-0123456789"
ADMIN = [(b"x-admin-api-key", ADMIN_KEY.encode())]
UNIT = "USD_MICROCENTS"
REST = "the rest of the application, and this program"
PARTS: tuple[tuple[Any, str, str], ...] = (
    (Gate, "admit", "the key, its tenant, its permissions"),
    (wire, "read_body", "reading the body, and its fingerprint"),
    (apply, "standing_of", "stops, policies, quotas"),
    (rules, "reserve", "budgets, and the reservation"),
    (apply, "_witnessed", "the record that explains the decision"),
    (apply, "remember", "the answer, and keeping it for its key"),
    (BatchRunner, "_load", "looking up what a batch needs"),
    (BatchRunner, "_decide", "what joins the steps of a decision"),
    (BatchRunner, "_write", "writing the rows"),
    (BatchRunner, "_commit", "begin, and commit"),
)
"""Where a function is found, its name, and what the CPU time in it is called."""
Batch = Callable[[], Awaitable[None]]
Header = tuple[bytes, bytes]


async def asked(app: Any, path: str, body: dict[str, Any], headers: list[Header]) -> None:
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


class Parts:
    """The CPU time of this thread, by part; what a part hands on to another is the other's."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._within = [REST]
        self._since = time.thread_time()

    @contextmanager
    def told_apart(self) -> Iterator[None]:
        """Have every part tell when it begins and when it ends."""
        originals = [vars(owner)[name] for owner, name, _ in PARTS]
        for (owner, name, part), original in zip(PARTS, originals, strict=True):
            setattr(owner, name, self._telling(original, part))
        self._since = time.thread_time()
        try:
            yield
        finally:
            for (owner, name, _), original in zip(PARTS, originals, strict=True):
                setattr(owner, name, original)

    def _telling(self, original: Callable[..., Any], part: str) -> Callable[..., Any]:
        def telling(*given: Any, **named: Any) -> Any:
            with self._in(part):
                return original(*given, **named)

        async def telling_async(*given: Any, **named: Any) -> Any:
            with self._in(part):
                return await original(*given, **named)

        return telling_async if inspect.iscoroutinefunction(original) else telling

    @contextmanager
    def _in(self, part: str) -> Iterator[None]:
        self._passed()
        self._within.append(part)
        try:
            yield
        finally:
            self._passed()
            self._within.pop()

    def _passed(self) -> None:
        now = time.thread_time()
        self.seconds[self._within[-1]] += now - self._since
        self._since = now


async def timed(batch: Batch) -> float:
    """The CPU time of one reservation in µs, of the quickest batch."""
    times: list[float] = []
    for _ in range(BATCHES):
        started = time.thread_time()
        await batch()
        times.append(time.thread_time() - started)
    return min(times) / BATCH * 1e6


async def counted(batch: Batch, *, listed: bool) -> float:
    """The calls of functions that one reservation makes."""
    with cProfile.Profile() as profile:
        for _ in range(BATCHES // 8):
            await batch()
    found: Any = pstats.Stats(profile)
    if listed:
        found.sort_stats("tottime").print_stats(60)
    return float(found.total_calls) / (BATCH * (BATCHES // 8))


def show(microseconds: float, calls: float, parts: Parts) -> None:
    """The table."""
    table = Table("part", "share", "µs", title="One reservation in a batch of 32")
    table.columns[1].justify = table.columns[2].justify = "right"
    total = sum(parts.seconds.values())
    for name, seconds in sorted(parts.seconds.items(), key=lambda item: -item[1]):
        share = seconds / total
        table.add_row(name, f"{share:.0%}", f"{share * microseconds:.0f}")
    table.add_section()
    table.add_row(f"all, in {calls:.0f} calls", "", f"{microseconds:.0f}", style="bold")
    Console().print(table)


async def main() -> None:
    """Measure, look, count."""
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/profile.db"
        settings = Settings(store=store, admin_key=ADMIN_KEY, access_log=None)
        async with opened(settings, lambda: 0) as (app, _, operator):
            headers = await governed(app, operator)
            done = 0

            async def batch() -> None:
                nonlocal done
                done += BATCH
                questions = map(question, range(done - BATCH, done))
                path = "/v1/reservations"
                await asyncio.gather(*(asked(app, path, each, headers) for each in questions))

            for _ in range(BATCHES // 10):
                await batch()
            gc.freeze()
            microseconds = await timed(batch)
            parts = Parts()
            with parts.told_apart():
                for _ in range(BATCHES):
                    await batch()
            calls = await counted(batch, listed="--calls" in sys.argv)
            show(microseconds, calls, parts)


if __name__ == "__main__":
    asyncio.run(main())
