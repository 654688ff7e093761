"""A small world to ask in: two tenants with all that the protocol knows, made over its own API."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, cast

import httpx

from runcycles.ledger.state import Record, Tenant, tenant_key
from runcycles.testing import FakeClock
from runcycles_server.authority import Authority
from runcycles_server.governance.keys.rules import digest_of
from runcycles_server.governance.operator import Operator
from runcycles_server.governance.permissions import Permission
from runcycles_server.http.app import App
from runcycles_server.http.auth import Gate
from runcycles_server.http.endpoint import Endpoint, Service
from runcycles_server.http.metrics import Metrics
from runcycles_server.http.routes import ENDPOINTS
from runcycles_server.records import ApiKey, api_key_key
from runcycles_server.stores import Store
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.sweeper import Sweeper
from tests.server.authority.watched import WatchedStore
from tests.support import contract

ADMIN_KEY = "the operator's own key"
OPERATOR = {"X-Admin-API-Key": ADMIN_KEY}
KIND = "llm.completion"
TODAY = "2027-01-15"
"""The day on which the clock of these tests stands."""
STEPS = {"acme": 1_000_003, "rival": 999_983}
"""The tenants, and a prime number for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What there is to ask for, all of it the tenant's own."""

    tenant: str
    step: int
    """Every amount of the tenant is a multiple of this, and none of another tenant's is."""
    secret: str
    key_id: str
    reservation_id: str
    policy_id: str
    stop_id: str

    @property
    def root(self) -> str:
        """The scope of the tenant."""
        return f"tenant:{self.tenant}"

    @property
    def writer(self) -> str:
        """The scope of its one agent."""
        return f"{self.root}/agent:writer"

    @property
    def frozen(self) -> str:
        """A scope of it whose budget is frozen."""
        return f"{self.root}/agent:frozen"

    @property
    def key(self) -> dict[str, str]:
        """The header with its key, which may do everything."""
        return {"X-Cycles-API-Key": self.secret}

    def question(self, key: str, times: int = 1) -> dict[str, Any]:
        """A reserve of its agent."""
        return {
            "idempotency_key": key,
            "subject": {"tenant": self.tenant, "agent": "writer"},
            "action": {"kind": KIND, "name": "gpt-4o"},
            "estimate": self.tokens(times),
        }

    def tokens(self, times: int = 1) -> dict[str, Any]:
        """Some tokens of the tenant, as they stand in JSON."""
        return {"unit": "TOKENS", "amount": self.step * times}


class World:
    """A server in this process, and everything that its store holds."""

    def __init__(self, store: WatchedStore, endpoints: Iterable[Endpoint] = ENDPOINTS) -> None:
        self.store = store
        real = cast("Store", store)
        gate = Gate(real, admin_digest=digest_of(ADMIN_KEY))
        self.operator = Operator(real)
        metrics = Metrics()
        metrics.watch(real, Sweeper(real), lambda: 0)
        self.app = App(endpoints, Service(Authority(real), self.operator, metrics), gate)

    def client(self, headers: dict[str, str]) -> httpx.AsyncClient:
        """A client whose every answer is held against the published document."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://cycles",
            headers=headers,
            event_hooks={"response": [contract.check_async]},
        )

    async def key_of(self, secret: str) -> ApiKey:
        """The record of a key."""
        found: ApiKey = await self.store.get(api_key_key(digest_of(secret)))
        return found

    async def change_key(self, secret: str, **changes: Any) -> None:
        """Make a key different from what the API would let it be."""
        await self.store.put(replace(await self.key_of(secret), **changes))

    async def change_tenant(self, tenant: str, **changes: Any) -> None:
        """Make a tenant different, without what usually comes with it."""
        found: Tenant = await self.store.get(tenant_key(tenant))
        await self.store.put(replace(found, **changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A world to begin with, as often as one likes: what it holds, and what it is called."""

    records: tuple[Record, ...]
    acme: Names
    rival: Names

    @asynccontextmanager
    async def world(self, endpoints: Iterable[Endpoint] = ENDPOINTS) -> AsyncIterator[World]:
        """A fresh world like this."""
        store = WatchedStore(cast("Store", MemoryStore(FakeClock().now_ms)))
        await store.start()
        await store.put(*self.records)
        yield World(store, endpoints)
        await store.close()


@cache
def blueprint() -> Blueprint:
    """The world of two tenants, made once."""
    return asyncio.run(_drawn())


async def _drawn() -> Blueprint:
    store = WatchedStore(cast("Store", MemoryStore(FakeClock().now_ms)))
    await store.start()
    world = World(store)
    names = [await populate(world, tenant, step) for tenant, step in STEPS.items()]
    return Blueprint(records=tuple(store.kept.values()), acme=names[0], rival=names[1])


async def populate(world: World, tenant: str, step: int) -> Names:
    """A tenant with everything that a tenant can have; its names."""
    names = Names(
        tenant=tenant,
        step=step,
        secret="",
        key_id="",
        reservation_id="",
        policy_id="",
        stop_id="",
    )
    async with world.client(OPERATOR) as admin:

        async def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer = await admin.post(path, json=body)
            assert answer.is_success, answer.text
            found: dict[str, Any] = answer.json()
            return found

        await made("/v1/admin/tenants", {"tenant_id": tenant, "name": f"{tenant} itself"})
        of_it = {"tenant_id": tenant}
        for below in ("", "/agent:writer", "/agent:frozen"):
            at = {"scope": f"tenant:{tenant}{below}", "unit": "TOKENS"}
            await made("/v1/admin/budgets", {**of_it, **at, "allocated": names.tokens(100)})
        await made(f"/v1/admin/budgets/freeze?scope=tenant:{tenant}/agent:frozen&unit=TOKENS", {})
        every = [str(permission) for permission in Permission]
        key = await made("/v1/admin/api-keys", {**of_it, "name": "all", "permissions": every})
        policy = await made(
            "/v1/admin/policies",
            {
                **of_it,
                "name": f"{tenant}'s",
                "scope_pattern": f"tenant:{tenant}/*",
                "action_quotas": [
                    {"action_kind": KIND, "max_calls": 1_000, "window": "per_tenant_per_day"}
                ],
            },
        )
        stop = await made(
            "/v1/x-runcycles/stops", {"target": f"tenant:{tenant}/agent:idle", "reason": "a test"}
        )
    names = replace(
        names,
        secret=key["key_secret"],
        key_id=key["key_id"],
        policy_id=policy["policy_id"],
        stop_id=stop["stop_id"],
    )
    async with world.client(names.key) as client:
        answer = await client.post("/v1/reservations", json=names.question("held"))
        assert answer.status_code == 200, answer.text
    names = replace(names, reservation_id=answer.json()["reservation_id"])
    assert all(getattr(names, field.name) for field in fields(names))
    return names
