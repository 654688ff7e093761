"""What an operator asks about kinds of actions."""

from runcycles.actions import ACTION_KINDS, ActionKind
from runcycles.errors import ErrorCode
from runcycles.ledger.policies import DeclaredKind, kind_key
from runcycles.ops import Refused
from runcycles_server.governance.audit.deeds import Actor, Deed
from runcycles_server.governance.kinds import rules
from runcycles_server.governance.kinds.bodies import KindDeclare
from runcycles_server.governance.operator import Operator, error_of
from runcycles_server.governance.outcomes import Made


async def declare(operator: Operator, request: KindDeclare, actor: Actor) -> Made[DeclaredKind]:
    """A kind of the operator's own; of one that was declared already, what it is from now on."""
    declared = len(await operator.store.declared_kinds())
    return await operator.change(
        (kind_key(request.kind),),
        lambda snapshot: rules.declare(snapshot, request, declared=declared),
        deed=Deed(
            operation="declareActionKind",
            resource_type="action_kind",
            resource_id=request.kind,
            status=201,
        ),
        actor=actor,
    )


def registered(kind: str) -> ActionKind:
    """A kind of the registry.

    Raises:
        CyclesProtocolError: it has none of this name.
    """
    found = ACTION_KINDS.get(kind)
    if found is None:
        message = f"The registry has no action kind {kind!r}; GET /v1/action-kinds lists them"
        raise error_of(Refused(code=ErrorCode.NOT_FOUND, message=message))
    return found
