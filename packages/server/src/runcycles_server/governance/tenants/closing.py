"""Closing a tenant: with it end its reservations, its budgets and its keys.

One transaction ends all of them and the tenant, all or nothing: the protocol's mode A. Only what is
more than `MAX_TOGETHER` is ended in several, so that nobody waits long behind one; the tenant is
closed in the first of them, and nothing of it can begin from there on: mode B.

What there is to end is looked up before the transaction, and more may begin in between. So whoever
closes looks again afterwards, until nothing is left; as the tenant is closed by then, the second
look is nearly always the last. If the process dies before that, closing once more ends the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, assert_never

from runcycles.ledger.closing import TENANT_CLOSED, end
from runcycles.ledger.state import (
    Account,
    Key,
    Outcome,
    Record,
    Reservation,
    Snapshot,
    Tenant,
    tenant_key,
)
from runcycles.ops import Refused
from runcycles.types import BudgetStatus, ReservationStatus
from runcycles_server.governance.audit.deeds import Actor, Deed, differences, entry
from runcycles_server.governance.operator import Operator
from runcycles_server.governance.tenants import rules
from runcycles_server.governance.tenants.bodies import TenantUpdate
from runcycles_server.governance.tenants.deeds import deed_to_tenant
from runcycles_server.records import ApiKey, AuditEntry
from runcycles_server.stores.base import Store
from runcycles_server.stores.queries import ReservationQuery

MAX_TOGETHER: Final = 500
"""What is ended in one transaction; with the audit entries it holds others up for some 50 ms."""
MAX_LOOKED_UP: Final = 10_000
"""Reservations looked up at once; the rest, and the budgets, are found by the next look."""

Owned = Reservation | Account | ApiKey


async def close(operator: Operator, request: TenantUpdate, actor: Actor, tenant_id: str) -> Tenant:
    """The tenant, closed, once nothing of it is left to end.

    Raises:
        CyclesProtocolError: there is no such tenant, or a closed one would have to change.
    """
    closing = _Closing(request, tenant_id, actor)
    left = await _what_is_left(operator.store, tenant_id)
    tenant = await closing.carry_out(operator, left[:MAX_TOGETHER])
    left = left[MAX_TOGETHER:]
    while left or (left := await _what_is_left(operator.store, tenant_id)):
        await closing.carry_out(operator, left[:MAX_TOGETHER])
        left = left[MAX_TOGETHER:]
    return tenant


async def _what_is_left(store: Store, tenant_id: str) -> list[Owned]:
    """What has not ended yet; reservations first, so that budgets close without holds."""
    running = await store.reservations(
        ReservationQuery(
            tenant=tenant_id,
            status=ReservationStatus.ACTIVE,
            descending=False,
            limit=MAX_LOOKED_UP,
        )
    )
    if len(running) == MAX_LOOKED_UP:
        return [*running]
    budgets = await store.accounts(tenant_id)
    keys = await store.api_keys(tenant_id)
    return [
        *running,
        *(budget for budget in budgets if budget.status is not BudgetStatus.CLOSED),
        *(key for key in keys if key.status == "ACTIVE"),
    ]


@dataclass(frozen=True, slots=True)
class _Closing:
    """Who closes which tenant, and what else is to be different about it."""

    request: TenantUpdate
    tenant_id: str
    actor: Actor

    async def carry_out(self, operator: Operator, owned: Sequence[Owned]) -> Tenant:
        """Close the tenant, if it is not closed yet, and end these in the same transaction."""
        keys = tuple(record.key for record in owned)
        held = (record.account_keys for record in owned if isinstance(record, Reservation))
        footprint = (tenant_key(self.tenant_id), *keys, *chain.from_iterable(held))
        return await operator.carry_out(footprint, lambda snapshot: self._step(snapshot, keys))

    def _step(self, snapshot: Snapshot, keys: Sequence[Key]) -> Outcome[Tenant | Refused]:
        outcome = rules.update(snapshot, self.request, self.tenant_id)
        if isinstance(outcome.reply, Refused):
            return outcome
        changed = end(snapshot, keys)
        changed |= {key: revoked for key in keys if (revoked := _revoked(snapshot, key))}
        deeds = {key: _deed_of(snapshot.records[key]) for key in keys if key in changed}
        entries = [self._entry(snapshot, deed, changed[key]) for key, deed in deeds.items()]
        own = deed_to_tenant("updateTenant", self.tenant_id)
        entries += [self._entry(snapshot, own, tenant) for tenant in outcome.changes]
        return Outcome(outcome.reply, (*changed.values(), *outcome.changes, *entries))

    def _entry(self, snapshot: Snapshot, deed: Deed, record: Record) -> AuditEntry:
        correlation_id = f"tenant_close_cascade:{self.tenant_id}:{self.actor.request_id}"
        details = differences(snapshot, (record,), deed.part)
        details["correlation_id"] = correlation_id
        return entry(deed, self.actor, at_ms=snapshot.now_ms, details=details)


def _revoked(snapshot: Snapshot, key: Key) -> ApiKey | None:
    found = snapshot.records[key]
    if not isinstance(found, ApiKey) or found.status != "ACTIVE":
        return None
    return replace(
        found, status="REVOKED", revoked_at_ms=snapshot.now_ms, revoked_reason=TENANT_CLOSED
    )


def _deed_of(owned: Owned) -> Deed:
    """The protocol's name for what happens to one thing when its tenant is closed."""
    match owned:
        case Reservation():
            done, resource_id, tenant = "reservation.released", owned.reservation_id, owned.tenant
        case Account():
            done, resource_id, tenant = "budget.closed", f"{owned.scope}:{owned.unit}", owned.tenant
        case ApiKey():
            done, resource_id, tenant = "api_key.revoked", owned.key_id, owned.tenant_id
        case _:
            assert_never(owned)
    return Deed(
        operation=f"{done}_via_tenant_cascade",
        resource_type=done.partition(".")[0],
        resource_id=resource_id,
        tenant=tenant,
        metadata={"cascade_reason": TENANT_CLOSED},
    )
