"""What an operator asks about policies."""

from runcycles.errors import ErrorCode
from runcycles.ids import short_id
from runcycles.ledger.policies import Policy, PolicyBook, policies_key
from runcycles.ledger.refusals import outside_filter
from runcycles.ledger.state import tenant_key
from runcycles.ops import Refused
from runcycles.scopes import passes_filter
from runcycles_server.governance.audit.deeds import Actor, Deed
from runcycles_server.governance.operator import Operator, error_of
from runcycles_server.governance.policies import rules
from runcycles_server.governance.policies.bodies import PolicyCreate, PolicyUpdate
from runcycles_server.governance.scopes import canonical_pattern


async def create(operator: Operator, request: PolicyCreate, actor: Actor, *, tenant: str) -> Policy:
    """A new policy of this tenant."""
    pattern, policy_id = canonical_pattern(request.scope_pattern), short_id("pol")
    return await operator.change(
        (tenant_key(tenant), policies_key(tenant)),
        lambda snapshot: rules.create(
            snapshot, request, tenant=tenant, pattern=pattern, policy_id=policy_id
        ),
        deed=_deed("createPolicy", tenant, policy_id, status=201),
        actor=actor,
    )


async def update(
    operator: Operator,
    policy_id: str,
    request: PolicyUpdate,
    actor: Actor,
    *,
    scope_filter: tuple[str, ...] = (),
) -> Policy:
    """A policy with what the request says; `scope_filter` is that of the key that asks.

    Raises:
        CyclesProtocolError: there is none under this id, it is another tenant's, or its scopes
            are none of the key's.
    """
    tenant, pattern = await _place_of(operator, policy_id)
    if actor.tenant not in (None, tenant):
        message = f"The policy {policy_id} belongs to another tenant"
        raise error_of(Refused(code=ErrorCode.FORBIDDEN, message=message))
    if not passes_filter(pattern, scope_filter):
        raise error_of(outside_filter(pattern, scope_filter))
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


async def _place_of(operator: Operator, policy_id: str) -> tuple[str, str]:
    """The tenant and the pattern of a policy. Neither ever changes, so they are found beforehand.

    Raises:
        CyclesProtocolError: there is none under this id.
    """
    for book in await operator.store.policy_books(None):
        if (policy := book.policy(policy_id)) is not None:
            return book.tenant, policy.scope_pattern
    raise error_of(rules.unknown_policy(policy_id))


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
