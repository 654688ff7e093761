"""What an operator asks about tenants."""

from runcycles.ledger.state import Tenant, tenant_key
from runcycles_server.governance.audit.deeds import Actor, Deed
from runcycles_server.governance.operator import Operator, error_of
from runcycles_server.governance.outcomes import Made
from runcycles_server.governance.refusals import unknown_tenant
from runcycles_server.governance.tenants import rules
from runcycles_server.governance.tenants.bodies import TenantCreate


async def create(operator: Operator, request: TenantCreate, actor: Actor) -> Made[Tenant]:
    """A new tenant, or the one that already has this id and name."""
    return await operator.change(
        (tenant_key(request.tenant_id),),
        lambda snapshot: rules.create(snapshot, request),
        deed=_deed("createTenant", request.tenant_id, status=201),
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


def _deed(operation: str, tenant_id: str, *, status: int = 200) -> Deed:
    return Deed(
        operation=operation,
        resource_type="tenant",
        resource_id=tenant_id,
        tenant=tenant_id,
        status=status,
    )
