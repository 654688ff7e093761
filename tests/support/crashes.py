"""A server that is ended under load and started again, and what has to be so then."""

import asyncio
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.support.contract import check
from tests.support.load import ACKNOWLEDGED, Load, Witness, tokens
from tests.support.processes import Process, environment, running

TIGHT = 50
"""What the agent that everybody wants to be may hold and spend in all."""
ROOT = 1_000_000
ADMIN_KEY = "the operator's own key"
SERVE = ("serve", "--port", "0", "--json", "--store", "sqlite:///crash.db", "--access-log")


@dataclass(frozen=True)
class Scene:
    """A tenant with a wide budget and an agent with a tight one; the store outlives its servers."""

    tenant: str
    key: str

    def ledgers(self, base_url: str) -> dict[str, dict[str, int]]:
        """The counters of both budgets by the agent's name, the root's under ''."""
        with self.client(base_url) as http:
            rows = http.get("/v1/admin/budgets").json()["ledgers"]
        return {
            row["scope"].partition("/agent:")[2]: {
                name: row[name]["amount"] for name in ("spent", "reserved", "remaining", "debt")
            }
            for row in rows
        }

    def reservations(self, base_url: str) -> dict[str, dict[str, Any]]:
        """Every reservation of the tenant, by id."""
        found: dict[str, dict[str, Any]] = {}
        query: dict[str, Any] = {"limit": 200}
        with self.client(base_url) as http:
            while True:
                page = http.get("/v1/reservations", params=query).json()
                found |= {row["reservation_id"]: row for row in page["reservations"]}
                if not page["has_more"]:
                    return found
                query["cursor"] = page["next_cursor"]

    def client(self, base_url: str) -> httpx.Client:
        return httpx.Client(
            base_url=base_url,
            headers={"X-Cycles-API-Key": self.key},
            event_hooks={"response": [check]},
            timeout=20,
        )


def serving(
    folder: Path, *, log: str = "log", before: tuple[str, ...] = ()
) -> AbstractContextManager[Process]:
    """The server over the database in this folder; `before` is what runs it."""
    env = environment(CYCLES_ADMIN_KEY=ADMIN_KEY)
    return running(*SERVE, log, cwd=folder, env=env, before=before)


def opened(base_url: str, tenant: str) -> Scene:
    """A tenant of its own with its two budgets, and a key for the load."""
    headers = {"X-Admin-API-Key": ADMIN_KEY}
    with httpx.Client(base_url=base_url, headers=headers) as admin:
        admin.post("/v1/admin/tenants", json={"tenant_id": tenant, "name": tenant})
        made = admin.post("/v1/admin/api-keys", json={"tenant_id": tenant, "name": "load"})
        for scope, amount in (("", ROOT), ("/agent:tight", TIGHT)):
            budget = {
                "tenant_id": tenant,
                "scope": f"tenant:{tenant}{scope}",
                "unit": "TOKENS",
                "allocated": {"unit": "TOKENS", "amount": amount},
            }
            assert admin.post("/v1/admin/budgets", json=budget).status_code == 201
    return Scene(tenant, made.json()["key_secret"])


@dataclass(frozen=True)
class Round:
    """What one crash was like: what had been acknowledged, what was in the air, what came of it."""

    acknowledged: int
    unanswered: int
    unheard_holds: int


def rounds(folder: Path, count: int, number: signal.Signals) -> Iterator[Round]:
    """Load a server, end it with a signal, start it again, and compare; again and again.

    The server that is started again is the one that is ended next.
    """
    with ExitStack() as servers:
        process, base_url = _started(servers, folder)
        for at in range(count):
            scene = opened(base_url, f"{number.name.lower()}-{at}")
            load = Load(scene.tenant, scene.key, base_url)
            asyncio.run(load.run(partial(process.started.send_signal, number)))
            code, _, errors = process.ended()
            expected = -number if number is signal.SIGKILL else 0
            assert (code, errors) == (expected, ""), errors
            assert load.witness.effects >= ACKNOWLEDGED
            assert_every_reservation_has_its_decision(scene, folder)
            assert load.witness.failed == 0
            acknowledged, unanswered = load.witness.effects, len(load.witness.unanswered)
            process, base_url = _started(servers, folder)
            extra = assert_nothing_lost_or_oversold(scene, base_url, load.witness)
            assert_asking_again_is_safe(scene, base_url, load.witness)
            yield Round(acknowledged, unanswered, extra)


def _started(servers: ExitStack, folder: Path) -> tuple[Process, str]:
    process: Process = servers.enter_context(serving(folder))
    return process, process.said()["base_url"]


def assert_nothing_lost_or_oversold(scene: Scene, base_url: str, witness: Witness) -> int:
    """Compare the ledger with what was acknowledged; how many holds nobody has heard of.

    Each of those belongs to a question without an answer, whose key gives it back to its owner.
    """
    assert witness.odd == []
    rows, ledgers = scene.reservations(base_url), scene.ledgers(base_url)
    for held, amount in witness.held.items():
        assert rows[held]["reserved"] == tokens(amount)
    for held, charged in witness.charged.items():
        assert (rows[held]["status"], rows[held]["committed"]) == ("COMMITTED", tokens(charged))
    for held in witness.released:
        assert rows[held]["status"] == "RELEASED"
    asked = {question["idempotency_key"] for _, question in witness.unanswered}
    extra = [row for held, row in rows.items() if held not in witness.held]
    assert {row["idempotency_key"] for row in extra} <= asked
    active = [row for row in rows.values() if row["status"] == "ACTIVE"]
    committed = sum(row["committed"]["amount"] for row in rows.values() if "committed" in row)
    events = ledgers[""]["spent"] - committed
    unheard = sum(3 for path, _ in witness.unanswered if path == "/v1/events")
    assert witness.recorded <= events <= witness.recorded + unheard
    assert ledgers[""]["reserved"] == sum(row["reserved"]["amount"] for row in active)
    for name, allocated in (("", ROOT), ("tight", TIGHT)):
        counters = ledgers[name]
        assert counters["debt"] == 0
        assert counters["remaining"] == allocated - counters["spent"] - counters["reserved"] >= 0
    return len(extra)


def assert_asking_again_is_safe(scene: Scene, base_url: str, witness: Witness) -> None:
    """Every question without an answer gets one now, and gets the same one again."""
    with scene.client(base_url) as http:
        for path, asked in witness.unanswered:
            first, again = http.post(path, json=asked), http.post(path, json=asked)
            assert first.status_code == again.status_code
            if first.status_code < 300:
                first_said, again_said = first.json(), again.json()
                first_said.pop("remaining_ttl_ms", None)
                again_said.pop("remaining_ttl_ms", None)
                assert first_said == again_said
                witness.effects += 1
    ledgers = scene.ledgers(base_url)
    assert ledgers["tight"]["spent"] + ledgers["tight"]["reserved"] <= TIGHT


def assert_every_reservation_has_its_decision(scene: Scene, folder: Path) -> None:
    """The two are of one commit: what is on the disk has both, or neither."""
    with closing(sqlite3.connect(folder / "crash.db")) as database:
        held, decided = (
            {name for (name,) in database.execute(query, (scene.tenant,))}
            for query in (
                "SELECT reservation_id FROM reservations WHERE tenant = ?",
                "SELECT reservation_id FROM decisions WHERE tenant = ? AND reservation_id <> ''",
            )
        )
    assert held == decided != set()
