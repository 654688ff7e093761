"""What an operator can ask: the shell that runs the governance transitions in a store.

The HTTP endpoints and the command line both come through here, so a tenant, key or budget is made
in one way only. Every refusal is raised as the protocol's error.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

from runcycles import wire
from runcycles.errors import CyclesProtocolError
from runcycles.ids import new_id
from runcycles.ledger.idempotency import DAY_MS, Answer, Keyed, remember, replay
from runcycles.ledger.state import (
    Account,
    Key,
    Need,
    Outcome,
    Snapshot,
    Tenant,
    account_key,
    tenant_key,
)
from runcycles.ops import Refused
from runcycles.types import Unit
from runcycles.wire.adapters import adapter
from runcycles_server.governance import budgets, keys, tenants
from runcycles_server.governance.bodies import (
    BudgetCreate,
    Fund,
    Funded,
    KeyCreate,
    KeyCreated,
    TenantCreate,
)
from runcycles_server.governance.outcomes import Made
from runcycles_server.governance.scopes import canonical_scope
from runcycles_server.stores.base import Store

T = TypeVar("T")


class Operator:
    """Makes and funds what the ledger works with."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def create_tenant(self, request: TenantCreate) -> Made[Tenant]:
        """A new tenant, or the one that already has this id and name."""
        return await self._ask(
            (tenant_key(request.tenant_id),), lambda snapshot: tenants.create(snapshot, request)
        )

    async def tenant(self, tenant_id: str) -> Tenant:
        """The tenant under an id."""
        found: Tenant | None = await self.store.get(tenant_key(tenant_id))
        if found is None:
            raise _error(tenants.unknown(tenant_id))
        return found

    async def create_key(self, request: KeyCreate) -> KeyCreated:
        """A new API key; the answer alone holds its secret."""
        secret, key_id = keys.fresh_secret(), f"key_{new_id()}"
        key = await self._ask(
            (tenant_key(request.tenant_id),),
            lambda snapshot: keys.create(snapshot, request, key_id=key_id, secret=secret),
        )
        return keys.created(key, secret)

    async def create_budget(self, request: BudgetCreate, *, tenant: str) -> Account:
        """A new budget of this tenant."""
        scope, ledger_id = canonical_scope(request.scope), new_id()
        return await self._ask(
            (tenant_key(tenant), account_key(tenant, scope, request.unit)),
            lambda snapshot: budgets.create(
                snapshot, request, tenant=tenant, scope=scope, ledger_id=ledger_id
            ),
        )

    async def fund(self, request: Fund, *, tenant: str, scope: str, unit: Unit) -> bytes:
        """What was done to a budget, as it is remembered: the same key gets the same bytes."""
        scope = canonical_scope(scope)
        keyed: Keyed[Funded] = Keyed(
            tenant=tenant,
            endpoint=f"fund/{scope}/{unit}",
            idempotency_key=request.idempotency_key or new_id(),
            fingerprint=_fingerprint(request),
            encode=lambda outcome: encode(outcome.reply),
        )

        def transition(snapshot: Snapshot) -> Outcome[Answer[Funded]] | Need:
            if (earlier := replay(snapshot, keyed)) is not None:
                return earlier
            outcome = budgets.fund(snapshot, request, tenant=tenant, scope=scope, unit=unit)
            return remember(outcome, keyed, until_ms=snapshot.now_ms + DAY_MS)

        footprint = (tenant_key(tenant), account_key(tenant, scope, unit), keyed.key)
        answer = await self.store.transact(footprint, transition)
        if isinstance(answer, Refused):
            raise _error(answer)
        return answer.raw

    async def _ask(
        self,
        footprint: tuple[Key, ...],
        transition: Callable[[Snapshot], Outcome[T | Refused] | Need],
    ) -> T:
        answer = await self.store.transact(footprint, transition)
        if isinstance(answer, Refused):
            raise _error(answer)
        return answer


def encode(view: Any) -> bytes:
    """A view as the body of an answer: absent members are left out."""
    return adapter(type(view)).dump_json(view, exclude_none=True)


def _fingerprint(request: Fund) -> bytes:
    canonical = json.dumps(json.loads(encode(request)), sort_keys=True)
    return hashlib.sha256(canonical.encode()).digest()


def _error(refused: Refused) -> CyclesProtocolError:
    return wire.error_for(None, wire.problem_of(refused))
