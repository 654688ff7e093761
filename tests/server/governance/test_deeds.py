"""What the audit log says of a deed whose resource is one of many in a record."""

from collections.abc import Callable
from typing import Any

import pytest

from runcycles.ledger.policies import Counter
from runcycles.ledger.state import Key, Need, Outcome, Snapshot, Tenant, tenant_key
from runcycles.types import QuotaWindow, RiskClass
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.governance.counters import commands as counters
from runcycles_server.governance.counters.bodies import CounterReset
from runcycles_server.governance.kinds import commands as kinds
from runcycles_server.governance.kinds.bodies import KindDeclare
from runcycles_server.governance.operator import Operator
from runcycles_server.governance.policies import commands as policies
from runcycles_server.governance.policies.bodies import PolicyCreate, PolicyUpdate
from runcycles_server.governance.stops import commands as stops
from runcycles_server.governance.stops.bodies import StopCreate
from runcycles_server.records import AuditEntry
from runcycles_server.stores.memory import MemoryStore

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])

NOW_MS = 1_744_206_000_000
OPERATOR = Actor(request_id="r1")
OWNER = Actor(tenant="acme", key_id="key_1")


class Watched(MemoryStore):
    """Shows what was written into its audit log."""

    def __init__(self) -> None:
        super().__init__(lambda: NOW_MS)
        self.entries: list[AuditEntry] = []

    async def transact(
        self, footprint: tuple[Key, ...], transition: Callable[[Snapshot], Outcome[Any] | Need]
    ) -> Any:
        def watched(snapshot: Snapshot) -> Outcome[Any] | Need:
            outcome = transition(snapshot)
            if isinstance(outcome, Outcome):
                self.entries += [row for row in outcome.changes if isinstance(row, AuditEntry)]
            return outcome

        return await super().transact(footprint, watched)


async def opened() -> tuple[Watched, Operator]:
    store = Watched()
    await store.start()
    await store.transact((), lambda _: Outcome(None, (Tenant(tenant_id="acme"),)))
    assert await store.get(tenant_key("acme")) is not None
    return store, Operator(store)


async def test_a_policy_is_written_down_without_the_rest_of_its_book() -> None:
    store, operator = await opened()
    request = PolicyCreate(name="a", scope_pattern="tenant:acme", denied_action_kinds=("db.write",))
    await policies.create(operator, request, OWNER, tenant="acme")
    request = PolicyCreate(name="b", scope_pattern="tenant:acme", priority=1)
    policy = await policies.create(operator, request, OPERATOR, tenant="acme")
    first, second = store.entries
    assert (first.operation, first.tenant_id, first.status) == ("createPolicy", "acme", 201)
    assert (second.resource_type, second.resource_id) == ("policy", policy.policy_id)
    assert second.details == {
        "actor_type": "admin_on_behalf_of",
        "after": {
            "policy_id": policy.policy_id,
            "name": "b",
            "scope_pattern": "tenant:acme",
            "created_at_ms": NOW_MS,
            "is_active": True,
            "priority": 1,
            "quotas": [],
            "allowed_action_kinds": [],
            "denied_action_kinds": [],
        },
    }


async def test_a_changed_policy_shows_what_differs_and_nothing_else() -> None:
    store, operator = await opened()
    request = PolicyCreate(name="a", scope_pattern="tenant:acme", description="old", priority=1)
    policy = await policies.create(operator, request, OWNER, tenant="acme")
    change = PolicyUpdate(description="", priority=2, status="DISABLED")
    await policies.update(operator, policy.policy_id, change, OWNER)
    assert store.entries[-1].operation == "updatePolicy"
    assert store.entries[-1].details == {
        "actor_type": "api_key",
        "before": {"description": "old", "priority": 1, "is_active": True},
        "after": {"priority": 2, "is_active": False, "updated_at_ms": NOW_MS},
    }


async def test_a_stop_and_its_end_are_both_written_down() -> None:
    store, operator = await opened()
    request = StopCreate(target="tenant:acme/agent:bot", reason="leak")
    stop = await stops.stop(operator, request, OPERATOR)
    await stops.stop(operator, StopCreate(target="*", reason="all"), OPERATOR)
    await stops.lift(operator, stop.stop_id, OPERATOR)
    said = {
        "stop_id": stop.stop_id,
        "target": "tenant:acme/agent:bot",
        "reason": "leak",
        "stopped_by": "admin",
        "stopped_at_ms": NOW_MS,
    }
    made, every, lifted = store.entries
    assert (made.operation, made.tenant_id, made.status) == ("stop", "acme", 201)
    assert made.details == {"actor_type": "admin_on_behalf_of", "after": said}
    assert (every.tenant_id, every.resource_type) == ("__admin__", "stop")
    assert (lifted.operation, lifted.tenant_id) == ("lift", "acme")
    assert lifted.resource_id == stop.stop_id
    assert lifted.details == {"actor_type": "admin_on_behalf_of", "before": said, "after": {}}


async def test_a_reset_and_a_declaration_are_written_down() -> None:
    store, operator = await opened()
    counter = Counter(
        tenant="acme",
        scope="tenant:acme",
        counted="__risk__:high_risk",
        window=QuotaWindow.PER_HOUR,
        bucket="2025-04-09T13",
        used=4,
        limit=5,
        policy_id="pol_1",
        begun_at_ms=NOW_MS - 2,
        expires_at_ms=NOW_MS + 1,
        last_incremented_at_ms=NOW_MS - 1,
    )
    await store.transact((), lambda _: Outcome(None, (counter,)))
    request = CounterReset(
        tenant_id="acme",
        scope="tenant:acme",
        action_kind="__risk__",
        risk_class=RiskClass.HIGH_RISK,
        window=QuotaWindow.PER_HOUR,
        window_key="2025-04-09T13",
        reason="enough",
    )
    await counters.reset(operator, request, OPERATOR)
    kind = KindDeclare(kind="custom.acme.launch", risk_class=RiskClass.HIGH_RISK)
    await kinds.declare(operator, kind, OPERATOR)
    await kinds.declare(operator, kind, OPERATOR)
    reset, declared = store.entries
    assert (reset.operation, reset.tenant_id) == ("resetActionQuotaCounter", "acme")
    assert reset.resource_id == ("tenant:acme:__risk__:high_risk:per_hour_tumbling:2025-04-09T13")
    assert reset.details == {
        "actor_type": "admin_on_behalf_of",
        "reason": "enough",
        "before": {"used": 4, "begun_at_ms": NOW_MS - 2},
        "after": {"used": 0, "begun_at_ms": NOW_MS},
    }
    assert (declared.operation, declared.tenant_id) == ("declareActionKind", "__admin__")
    assert declared.details is not None
    assert declared.details["after"]["risk_class"] == "high_risk"
