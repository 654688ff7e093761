"""What an operator asks about the counters of quotas."""

from runcycles.ledger.policies import counter_key
from runcycles.ledger.state import tenant_key
from runcycles.wire.requests import invalid
from runcycles_server.governance.audit.deeds import Actor, Deed
from runcycles_server.governance.counters import rules
from runcycles_server.governance.counters.bodies import RISK, CounterReset, CounterWasReset
from runcycles_server.governance.operator import Operator


async def reset(operator: Operator, request: CounterReset, actor: Actor) -> CounterWasReset:
    """A counter at nothing, and what it stood at.

    Raises:
        CyclesProtocolError: there is no such counter, or it is not said which risk class is meant.
    """
    counted = _counted(request)
    tenant, scope, window = request.tenant_id, request.scope.lower(), request.window
    key = counter_key(tenant, scope, counted, window, request.window_key)
    return await operator.change(
        (tenant_key(tenant), key),
        lambda snapshot: rules.reset(snapshot, key),
        deed=Deed(
            operation="resetActionQuotaCounter",
            resource_type="action_quota_counter",
            resource_id=f"{scope}:{counted}:{window}:{request.window_key}",
            tenant=tenant,
            metadata={} if request.reason is None else {"reason": request.reason},
        ),
        actor=actor,
    )


def _counted(request: CounterReset) -> str:
    """What the counter counts, as its key has it."""
    if (request.action_kind == RISK) != (request.risk_class is not None):
        raise invalid("risk_class", f"it is for the action_kind {RISK}, and that one needs it")
    if request.risk_class is None:
        return request.action_kind
    return f"{RISK}:{request.risk_class}"
