"""What an operator asks about API keys."""

from collections.abc import Callable

from runcycles.errors import ErrorCode, ReasonCode
from runcycles.ids import short_id
from runcycles.ledger.state import Key, Outcome, Snapshot, Tenant, tenant_key
from runcycles.ops import Refused
from runcycles.types import TenantStatus
from runcycles_server.governance.audit.deeds import Actor, Deed
from runcycles_server.governance.keys import rules
from runcycles_server.governance.keys.bodies import (
    KeyAnswer,
    KeyCreate,
    KeyCreated,
    KeyQuestion,
    KeyRevocation,
    KeyUpdate,
    KeyView,
)
from runcycles_server.governance.keys.validity import KeyProblem, problem_with
from runcycles_server.governance.keys.views import created, view
from runcycles_server.governance.moments import iso
from runcycles_server.governance.operator import Operator, error_of
from runcycles_server.records import ApiKey, api_key_key


async def create(operator: Operator, request: KeyCreate, actor: Actor) -> KeyCreated:
    """A new API key; the answer alone holds its secret."""
    secret, key_id = rules.fresh_secret(), short_id("key")
    key = await operator.change(
        (tenant_key(request.tenant_id),),
        lambda snapshot: rules.create(snapshot, request, key_id=key_id, secret=secret),
        deed=_deed("createApiKey", key_id, request.tenant_id, status=201),
        actor=actor,
    )
    return created(key, secret)


async def update(operator: Operator, key_id: str, request: KeyUpdate, actor: Actor) -> KeyView:
    """A key, changed."""
    return await _change(
        operator,
        key_id,
        lambda snapshot, name: rules.update(snapshot, name, request),
        operation="updateApiKey",
        actor=actor,
    )


async def revoke(operator: Operator, key_id: str, why: KeyRevocation, actor: Actor) -> KeyView:
    """A key, which opens nothing from the next request on."""
    return await _change(
        operator,
        key_id,
        lambda snapshot, name: rules.revoke(snapshot, name, why.reason),
        operation="revokeApiKey",
        actor=actor,
    )


async def validate(operator: Operator, question: KeyQuestion) -> KeyAnswer:
    """What a secret opens at this moment. Less than the whole of it tells nothing about a key.

    The key of a suspended tenant is valid: it reads, and settles what was begun.
    """
    store = operator.store
    key: ApiKey | None = await store.get(api_key_key(rules.digest_of(question.key_secret)))
    if key is None:
        return KeyAnswer(valid=False, tenant_id="", reason=KeyProblem.KEY_NOT_FOUND)
    owner: Tenant | None = await store.get(tenant_key(key.tenant_id))
    problem = problem_with(key, owner, store.now_ms())
    suspended = owner is not None and owner.status == TenantStatus.SUSPENDED
    return KeyAnswer(
        valid=problem is None,
        tenant_id=key.tenant_id,
        key_id=key.key_id,
        permissions=key.permissions,
        scope_filter=key.scope_filter,
        expires_at=iso(key.expires_at_ms),
        reason=problem or (ReasonCode.TENANT_SUSPENDED if suspended else None),
    )


async def _change(
    operator: Operator,
    key_id: str,
    rule: Callable[[Snapshot, Key], Outcome[ApiKey | Refused]],
    *,
    operation: str,
    actor: Actor,
) -> KeyView:
    """A rule about the key of this id, on the record that it has in the transaction.

    Keys are kept by their digest, so the id is looked for among all of them; that finds out which
    record is meant, and nothing of what was found then is written back.
    """
    keys = await operator.store.api_keys(None)
    found = next((key for key in keys if key.key_id == key_id), None)
    if found is None:
        raise error_of(Refused(code=ErrorCode.NOT_FOUND, message=f"There is no API key {key_id}"))
    name = found.key
    after = await operator.change(
        (name, tenant_key(found.tenant_id)),
        lambda snapshot: rule(snapshot, name),
        deed=_deed(operation, key_id, found.tenant_id),
        actor=actor,
    )
    return view(after, operator.store.now_ms())


def _deed(operation: str, key_id: str, tenant: str, *, status: int = 200) -> Deed:
    return Deed(
        operation=operation,
        resource_type="api_key",
        resource_id=key_id,
        tenant=tenant,
        status=status,
    )
