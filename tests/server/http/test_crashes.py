"""A server that dies or is stopped under load: what it acknowledged stays, nothing is oversold."""

import asyncio
import itertools
import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.contract import check
from tests.support.lines import HungUpError, Line
from tests.support.load import ACKNOWLEDGED, Load, Witness, tokens
from tests.support.processes import Process, environment, running

TIGHT = 50
"""What the agent that everybody wants to be may hold and spend in all."""
ROOT = 1_000_000
ADMIN_KEY = "the operator's own key"
SERVE = ("serve", "--port", "0", "--json", "--store", "sqlite:///crash.db", "--access-log", "log")


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


def serving(folder: Path) -> Any:
    return running(*SERVE, cwd=folder, env=environment(CYCLES_ADMIN_KEY=ADMIN_KEY))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crash")


@pytest.fixture
def server(folder: Path) -> Iterator[tuple[Process, str]]:
    with serving(folder) as process:
        yield process, process.said()["base_url"]


numbers = itertools.count()


@pytest.fixture
def scene(server: tuple[Process, str]) -> Scene:
    tenant = f"crash-{next(numbers)}"
    headers = {"X-Admin-API-Key": ADMIN_KEY}
    with httpx.Client(base_url=server[1], headers=headers) as admin:
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


def assert_nothing_lost_or_oversold(scene: Scene, base_url: str, witness: Witness) -> None:
    """Compare the ledger with what was acknowledged; only what nobody heard of may be extra."""
    assert witness.odd == []
    rows, ledgers = scene.reservations(base_url), scene.ledgers(base_url)
    for held, amount in witness.held.items():
        assert rows[held]["reserved"] == tokens(amount)
    for held, charged in witness.charged.items():
        assert (rows[held]["status"], rows[held]["committed"]) == ("COMMITTED", tokens(charged))
    for held in witness.released:
        assert rows[held]["status"] == "RELEASED"
    extra = set(rows) - set(witness.held)
    assert len(extra) <= len(witness.unanswered)
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


@pytest.mark.parametrize("attempt", range(5))
def test_what_was_acknowledged_survives_a_kill(
    attempt: int, folder: Path, server: tuple[Process, str], scene: Scene
) -> None:
    process, base_url = server
    load = Load(scene.tenant, scene.key, base_url)
    asyncio.run(load.run(process.started.kill))
    assert process.ended()[0] == -signal.SIGKILL
    assert load.witness.effects >= ACKNOWLEDGED
    assert_every_reservation_has_its_decision(scene, folder)
    with serving(folder) as again:
        base_url = again.said()["base_url"]
        assert_nothing_lost_or_oversold(scene, base_url, load.witness)
        assert_asking_again_is_safe(scene, base_url, load.witness)


def test_an_orderly_stop_under_load_loses_nothing(
    folder: Path, server: tuple[Process, str], scene: Scene
) -> None:
    process, base_url = server
    load = Load(scene.tenant, scene.key, base_url)
    asyncio.run(load.run(process.started.terminate))
    code, _, errors = process.ended()
    assert (code, errors) == (0, "")
    with serving(folder) as again:
        base_url = again.said()["base_url"]
        assert_nothing_lost_or_oversold(scene, base_url, load.witness)
        assert_asking_again_is_safe(scene, base_url, load.witness)


def test_a_request_that_has_begun_is_finished_after_the_signal(
    server: tuple[Process, str], scene: Scene
) -> None:
    process, base_url = server
    body = {
        "idempotency_key": "begun",
        "subject": {"tenant": scene.tenant},
        "action": {"kind": "llm.completion", "name": "gpt-4o"},
        "estimate": tokens(5),
    }
    content = json.dumps(body).encode()

    async def straddle() -> tuple[int, dict[str, Any]]:
        async with Line(base_url, scene.key) as line:
            await line.send("/v1/reservations", len(content), content[:20])
            await wait_until_begun()
            process.started.send_signal(signal.SIGTERM)
            await wait_until_closed(base_url)
            await line.send_more(content[20:])
            return await line.answer()

    async def wait_until_begun() -> None:
        async with Line(base_url, scene.key) as other:  # answered later than what came before it
            await other.post("/v1/decide", {})

    status, said = asyncio.run(straddle())
    assert (status, said["decision"]) == (200, "ALLOW")
    assert process.ended()[0] == 0


async def wait_until_closed(base_url: str) -> None:
    """Until the server takes no new connections."""
    async with asyncio.timeout(10):
        while True:
            try:
                async with Line(base_url, ""):
                    pass
            except HungUpError:
                return
