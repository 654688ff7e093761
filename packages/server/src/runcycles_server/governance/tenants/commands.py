"""What an operator asks about tenants."""

from runcycles.ledger.state import Tenant, tenant_key
from runcycles.types import TenantStatus
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.governance.operator import Operator, error_of
from runcycles_server.governance.outcomes import Made
from runcycles_server.governance.refusals import unknown_tenant
from runcycles_server.governance.tenants import closing, rules
from runcycles_server.governance.tenants.bodies import TenantCreate, TenantUpdate
from runcycles_server.governance.tenants.deeds import deed_to_tenant


async def create(operator: Operator, request: TenantCreate, actor: Actor) -> Made[Tenant]:
    """A new tenant, or the one that already has this id and name."""
    return await operator.change(
        (tenant_key(request.tenant_id),),
        lambda snapshot: rules.create(snapshot, request),
        deed=deed_to_tenant("createTenant", request.tenant_id, status=201),
        actor=actor,
    )


async def update(operator: Operator, request: TenantUpdate, actor: Actor, tenant_id: str) -> Tenant:
    """The tenant with what is to be different; closing it closes all it has."""
    if request.status is TenantStatus.CLOSED:
        return await closing.close(operator, request, actor, tenant_id)
    return await operator.change(
        (tenant_key(tenant_id),),
        lambda snapshot: rules.update(snapshot, request, tenant_id),
        deed=deed_to_tenant("updateTenant", tenant_id),
        actor=actor,
    )


async def get(operator: Operator, tenant_id: str) -> Tenant:
    """The tenant under an id.

    Raises:
        CyclesProtocolError: there is none.
    """
    found: Tenant | None = await operator.store.get(tenant_key(tenant_id))
    if found is None:
        raise error_of(unknown_tenant(tenant_id))
    return found
