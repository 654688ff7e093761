"""What an operator asks about policies."""

from runcycles.errors import ErrorCode
from runcycles.ids import new_id
from runcycles.ledger.policies import Policy, PolicyBook, policies_key
from runcycles.ledger.state import tenant_key
from runcycles.ops import Refused
from runcycles_server.governance.audit.deeds import Actor, Deed
from runcycles_server.governance.operator import Operator, error_of
from runcycles_server.governance.policies import rules
from runcycles_server.governance.policies.bodies import PolicyCreate, PolicyUpdate
from runcycles_server.governance.scopes import canonical_pattern


async def create(operator: Operator, request: PolicyCreate, actor: Actor, *, tenant: str) -> Policy:
    """A new policy of this tenant."""
    pattern, policy_id = canonical_pattern(request.scope_pattern), f"pol_{new_id()}"
    return await operator.change(
        (tenant_key(tenant), policies_key(tenant)),
        lambda snapshot: rules.create(
            snapshot, request, tenant=tenant, pattern=pattern, policy_id=policy_id
        ),
        deed=_deed("createPolicy", tenant, policy_id, status=201),
        actor=actor,
    )


async def update(operator: Operator, policy_id: str, request: PolicyUpdate, actor: Actor) -> Policy:
    """A policy with what the request says.

    Raises:
        CyclesProtocolError: there is none under this id, or it is another tenant's.
    """
    tenant = await _owner_of(operator, policy_id)
    if tenant is None:
        raise error_of(rules.unknown_policy(policy_id))
    if actor.tenant not in (None, tenant):
        message = f"The policy {policy_id} belongs to another tenant"
        raise error_of(Refused(code=ErrorCode.FORBIDDEN, message=message))
    return await operator.change(
        (tenant_key(tenant), policies_key(tenant)),
        lambda snapshot: rules.update(snapshot, request, tenant=tenant, policy_id=policy_id),
        deed=_deed("updatePolicy", tenant, policy_id),
        actor=actor,
    )


async def policies_of(operator: Operator, tenant: str) -> tuple[Policy, ...]:
    """Every policy of a tenant."""
    found: PolicyBook | None = await operator.store.get(policies_key(tenant))
    return () if found is None else found.policies


async def _owner_of(operator: Operator, policy_id: str) -> str | None:
    """The tenant that has this policy. Policies never move, so it can be looked up beforehand."""
    books = await operator.store.policy_books(None)
    return next((book.tenant for book in books if book.policy(policy_id) is not None), None)


def _deed(operation: str, tenant: str, policy_id: str, *, status: int = 200) -> Deed:
    def policy_in(book: PolicyBook | None) -> Policy | None:
        return None if book is None else book.policy(policy_id)

    return Deed(
        operation=operation,
        resource_type="policy",
        resource_id=policy_id,
        tenant=tenant,
        status=status,
        part=policy_in,
    )
