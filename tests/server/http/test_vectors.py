"""The protocol's test vectors for action authority, asked over HTTP at the moments they name.

Corrected where the published file contradicts the schemas: a scope path is written with slashes,
`affected_scopes` are texts, and each vector has a clock of its own. The names are the vectors'.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from runcycles.ids import new_id
from runcycles.testing import FakeClock
from runcycles_server.authority import Authority
from runcycles_server.governance.keys.rules import digest_of
from runcycles_server.governance.operator import Operator
from runcycles_server.http import routes
from runcycles_server.http.app import App
from runcycles_server.http.auth import Gate
from runcycles_server.http.endpoint import Service
from runcycles_server.stores import open_store
from tests.support import contract

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])

ROOT = "tenant:acme"
BOT = "tenant:acme/agent:support-bot"
ORCHESTRATOR = "tenant:acme/agent:orchestrator"
RUN = "run-abc-123"
UNIT = "USD_MICROCENTS"
MORNING_MS = 1_744_206_000_000
AFTERNOON_MS = 1_775_745_130_000
"""2026-04-09T14:32:10Z."""
MAIL = {"kind": "message.email.send", "name": "send-reply"}
MAILS_PER_RUN = {"action_kind": "message.email.send", "window": "per_run"}


@dataclass(frozen=True, slots=True)
class World:
    """The tenant of the vectors: 1,000,000 at its root, 50,000 for its bot."""

    clock: FakeClock
    client: httpx.AsyncClient

    async def policy(self, name: str, **terms: Any) -> str:
        """The id of a new policy of the tenant."""
        body = {"name": name, "scope_pattern": f"{ROOT}/agent:*", "tenant_id": "acme", **terms}
        answer = await self.client.post("/v1/admin/policies", json=body, headers=ADMIN)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["policy_id"])

    async def reserve(
        self,
        key: str,
        action: dict[str, Any],
        amount: int,
        *,
        agent: str = "support-bot",
        **more: Any,
    ) -> httpx.Response:
        """The answer to a question of the bot in its run."""
        run_id = more.pop("run_id", RUN)
        body = {
            "idempotency_key": key,
            "subject": {"tenant": "acme", "agent": agent, "dimensions": {"run_id": run_id}},
            "action": action,
            "estimate": {"unit": UNIT, "amount": amount},
            **more,
        }
        headers = {"X-Idempotency-Key": key}
        return await self.client.post("/v1/reservations", json=body, headers=headers)

    async def used(self, count: int, action: dict[str, Any], **more: Any) -> None:
        """Let something be done so many times."""
        for _ in range(count):
            answer = await self.reserve(new_id(), action, 0, **more)
            assert answer.json()["decision"] == "ALLOW", answer.text

    async def remaining(self) -> dict[str, int]:
        """What is left, by scope."""
        page = (await self.client.get("/v1/balances", params={"tenant": "acme"})).json()
        return {row["scope_path"]: row["remaining"]["amount"] for row in page["balances"]}

    async def counters(self, **query: Any) -> list[dict[str, Any]]:
        """The counters that hold something."""
        query = {"tenant_id": "acme", **query}
        answer = await self.client.get(
            "/v1/admin/action-quota-counters", params=query, headers=ADMIN
        )
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["counters"]
        return found


ADMIN = {"X-Admin-API-Key": "the operator's own key"}


@pytest.fixture(params=["memory:", "sqlite:///"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the world is kept."""
    kept: str = request.param
    return kept if kept == "memory:" else f"{kept}{tmp_path}/vectors.db"


@pytest.fixture
async def world(request: pytest.FixtureRequest, url: str) -> AsyncIterator[World]:
    clock = FakeClock(now_ms=getattr(request, "param", AFTERNOON_MS))
    store = open_store(url, clock_ms=clock.now_ms)
    await store.start()
    service = Service(Authority(store), Operator(store))
    gate = Gate(store, admin_digest=digest_of(ADMIN["X-Admin-API-Key"]))
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(App(routes.ENDPOINTS, service, gate)),
        base_url="http://cycles",
        event_hooks={"response": [contract.check_async]},
    )
    async with client:
        await _founded(client)
        yield World(clock, client)
    await store.close()


async def _founded(client: httpx.AsyncClient) -> None:
    async def made(path: str, **body: Any) -> Any:
        answer = await client.post(f"/v1/admin/{path}", json=body, headers=ADMIN)
        assert answer.status_code == 201, answer.text
        return answer.json()

    await made("tenants", tenant_id="acme", name="Acme")
    for scope, amount in ((ROOT, 1_000_000), (BOT, 50_000), (ORCHESTRATOR, 500_000)):
        allocated = {"unit": UNIT, "amount": amount}
        await made("budgets", tenant_id="acme", scope=scope, unit=UNIT, allocated=allocated)
    key = await made("api-keys", tenant_id="acme", name="bots")
    client.headers["X-Cycles-API-Key"] = key["key_secret"]


def at(moment_ms: int) -> pytest.MarkDecorator:
    """The moment of a vector."""
    return pytest.mark.parametrize("world", [moment_ms], indirect=True)


@at(MORNING_MS)
async def test_allow_happy_path(world: World) -> None:
    action = {"kind": "llm.completion", "name": "generate-reply"}
    answer = await world.reserve("idem-001", action, 5_000, ttl_ms=30_000)
    said = answer.json()
    assert (answer.status_code, said["decision"]) == (200, "ALLOW")
    assert said["reservation_id"]
    assert said["reserved"] == {"unit": UNIT, "amount": 5_000}
    assert said["expires_at_ms"] == 1_744_206_030_000
    assert (said["scope_path"], said["affected_scopes"]) == (BOT, [ROOT, BOT])
    left = await world.remaining()
    assert (left[ROOT], left[BOT]) == (995_000, 45_000)


async def test_deny_action_kind_denied(world: World) -> None:
    policy = await world.policy(
        "pol_sandbox_001",
        denied_action_kinds=["payment.charge", "payment.refund", "code.deploy"],
        action_quotas=[{"action_kind": "payment.charge", "max_calls": 1, "window": "per_run"}],
    )
    action = {
        "kind": "payment.charge",
        "name": "charge-customer",
        "policy_keys": {"host": "api.stripe.com"},
    }
    answer = await world.reserve("idem-002", action, 100_000, dry_run=True)
    said = answer.json()
    assert (answer.status_code, said["decision"]) == (200, "DENY")
    assert said["reason_code"] == said["deny_detail"]["reason_code"] == "ACTION_KIND_DENIED"
    assert said["deny_detail"]["blocked_by_policy"] == policy
    assert said["deny_detail"]["suggested_fix"]
    assert not {"quota_violation", "budget_remaining"} & set(said["deny_detail"])


async def test_deny_action_kind_not_allowed(world: World) -> None:
    policy = await world.policy(
        "pol_readonly_001", allowed_action_kinds=["db.query", "llm.completion", "llm.embedding"]
    )
    keys = {"host": "api.sendgrid.com", "recipient_domain": "customer.com"}
    answer = await world.reserve("idem-003", {**MAIL, "policy_keys": keys}, 1_000, dry_run=True)
    said = answer.json()
    assert (answer.status_code, said["decision"]) == (200, "DENY")
    assert said["deny_detail"]["reason_code"] == "ACTION_KIND_NOT_ALLOWED"
    assert said["deny_detail"]["blocked_by_policy"] == policy


async def test_deny_risk_class_quota(world: World) -> None:
    quota = {
        "risk_class": "external_side_effect",
        "max_calls": 50,
        "window": "per_hour_tumbling",
    }
    policy = await world.policy("pol_agent_defaults", risk_class_quotas=[quota])
    await world.used(30, MAIL)
    await world.used(20, {"kind": "http.post", "name": "post"}, run_id="another")
    answer = await world.reserve("idem-004", MAIL, 500)
    assert (answer.status_code, answer.json()["error"]) == (409, "ACTION_QUOTA_EXCEEDED")
    detail = answer.json()["details"]["deny_detail"]
    assert detail["quota_violation"] == {
        "action_kind": "message.email.send",
        "risk_class": "external_side_effect",
        "window": "per_hour_tumbling",
        "window_key": "2026-04-09T14",
        "used": 50,
        "limit": 50,
        "scope": BOT,
        "policy_id": policy,
    }


async def test_deny_per_kind_quota(world: World) -> None:
    policy = await world.policy(
        "pol_support_agent", action_quotas=[{**MAILS_PER_RUN, "max_calls": 3}]
    )
    await world.used(3, MAIL)
    answer = await world.reserve("idem-005", MAIL, 500)
    assert (answer.status_code, answer.json()["error"]) == (409, "ACTION_QUOTA_EXCEEDED")
    assert answer.json()["details"]["deny_detail"]["quota_violation"] == {
        "action_kind": "message.email.send",
        "window": "per_run",
        "window_key": RUN,
        "used": 3,
        "limit": 3,
        "scope": BOT,
        "policy_id": policy,
    }


async def test_deny_budget_exceeded(world: World) -> None:
    await world.reserve("before", {"kind": "llm.completion", "name": "reply"}, 5_000)
    action = {"kind": "llm.completion", "name": "generate-report"}
    answer = await world.reserve("idem-006", action, 500_000)
    assert (answer.status_code, answer.json()["error"]) == (409, "BUDGET_EXCEEDED")
    detail = answer.json()["details"]["deny_detail"]
    assert (detail["blocked_by_scope"], detail["budget_remaining"]) == (BOT, 45_000)
    assert "455000" in detail["suggested_fix"]


async def test_observe_mode_deny(world: World) -> None:
    await world.policy("pol_support_agent", action_quotas=[{**MAILS_PER_RUN, "max_calls": 3}])
    await world.used(3, MAIL)
    await _observe(world)
    before = (await world.remaining(), await world.counters())
    answer = await world.reserve("idem-007", {**MAIL, "name": "send-alert"}, 500)
    said = answer.json()
    assert (answer.status_code, said["decision"]) == (200, "DENY")
    assert said["reason_code"] == "ACTION_QUOTA_EXCEEDED"
    assert not {"reservation_id", "expires_at_ms"} & set(said)
    assert (await world.remaining(), await world.counters()) == before


async def test_observe_mode_allow(world: World) -> None:
    await _observe(world)
    action = {"kind": "llm.completion", "name": "summarize-thread"}
    answer = await world.reserve("idem-008", action, 3_000)
    said = answer.json()
    assert (answer.status_code, said["decision"]) == (200, "ALLOW")
    assert not {"reservation_id", "expires_at_ms"} & set(said)
    assert (await world.remaining())[BOT] == 50_000


@at(1_744_206_030_000)
async def test_threshold_crossing(world: World) -> None:
    quota = {**MAILS_PER_RUN, "max_calls": 10, "threshold_pct": 0.80}
    policy = await world.policy("pol_support_agent", action_quotas=[quota])
    await world.used(7, MAIL)
    answer = await world.reserve("idem-009", MAIL, 500)
    assert (answer.status_code, answer.json()["decision"]) == (200, "ALLOW")
    assert answer.json()["expires_at_ms"] == 1_744_206_090_000
    (counter,) = await world.counters(run_id=RUN)
    assert (counter["used"], counter["limit"], counter["remaining"]) == (8, 10, 2)
    assert (counter["scope"], counter["policy_id"]) == (BOT, policy)


async def test_per_request_observe_override(world: World) -> None:
    action = {"kind": "llm.completion", "name": "classify"}
    answer = await world.reserve("idem-010", action, 2_000, observe_mode="OBSERVE")
    said = answer.json()
    assert (answer.status_code, said["decision"]) == (200, "ALLOW")
    assert not {"reservation_id", "expires_at_ms"} & set(said)
    assert (await world.remaining())[BOT] == 50_000


@at(AFTERNOON_MS - 300_000)
async def test_deny_burst_per_minute(world: World) -> None:
    await world.policy(
        "pol_burst_protection",
        action_quotas=[
            {**MAILS_PER_RUN, "window": "per_minute_tumbling", "max_calls": 5},
            {**MAILS_PER_RUN, "window": "per_hour_tumbling", "max_calls": 100},
        ],
    )
    for count in (5, 5, 5, 3, 5):
        world.clock.advance(60_000)
        await world.used(count, MAIL)
    answer = await world.reserve("idem-011", {**MAIL, "name": "batch-send-6"}, 500)
    assert (answer.status_code, answer.json()["error"]) == (409, "ACTION_QUOTA_EXCEEDED")
    violation = answer.json()["details"]["deny_detail"]["quota_violation"]
    assert violation["window"] == "per_minute_tumbling"
    assert violation["window_key"] == "2026-04-09T14:32"
    assert (violation["used"], violation["limit"]) == (5, 5)
    (hour,) = await world.counters(window="per_hour_tumbling")
    assert (hour["window_key"], hour["used"]) == ("2026-04-09T14", 23)


async def test_deny_agent_spawn_quota(world: World) -> None:
    quota = {"action_kind": "agent.spawn", "max_calls": 5, "window": "per_run"}
    await world.policy("pol_agent_safety", action_quotas=[quota])
    spawn = {"kind": "agent.spawn", "name": "worker"}
    run = {"agent": "orchestrator", "run_id": "run-orch-001"}
    await world.used(5, spawn, **run)
    answer = await world.reserve("idem-012", spawn, 100_000, **run)
    assert (answer.status_code, answer.json()["error"]) == (409, "ACTION_QUOTA_EXCEEDED")
    violation = answer.json()["details"]["deny_detail"]["quota_violation"]
    assert (violation["scope"], violation["window_key"]) == (ORCHESTRATOR, "run-orch-001")
    assert (violation["used"], violation["limit"]) == (5, 5)


async def _observe(world: World) -> None:
    path, body = "/v1/admin/tenants/acme", {"observe_mode": "OBSERVE"}
    answer = await world.client.patch(path, json=body, headers=ADMIN)
    assert answer.status_code == 200, answer.text
