"""What an operator asks about API keys."""

from runcycles.ids import new_id
from runcycles.ledger.state import tenant_key
from runcycles_server.governance.audit.deeds import Actor, Deed
from runcycles_server.governance.keys import rules
from runcycles_server.governance.keys.bodies import KeyCreate, KeyCreated
from runcycles_server.governance.operator import Operator


async def create(operator: Operator, request: KeyCreate, actor: Actor) -> KeyCreated:
    """A new API key; the answer alone holds its secret."""
    secret, key_id = rules.fresh_secret(), f"key_{new_id()}"
    key = await operator.change(
        (tenant_key(request.tenant_id),),
        lambda snapshot: rules.create(snapshot, request, key_id=key_id, secret=secret),
        deed=_deed("createApiKey", key_id, request.tenant_id, status=201),
        actor=actor,
    )
    return rules.created(key, secret)


def _deed(operation: str, key_id: str, tenant: str, *, status: int = 200) -> Deed:
    return Deed(
        operation=operation,
        resource_type="api_key",
        resource_id=key_id,
        tenant=tenant,
        status=status,
    )
