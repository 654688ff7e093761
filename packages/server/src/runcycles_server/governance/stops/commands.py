"""What an operator asks about emergency stops."""

from runcycles.ids import short_id
from runcycles.ledger.policies import EVERYTHING, STOPS_KEY, Stop, Stops
from runcycles.ledger.state import Outcome, Snapshot, tenant_key
from runcycles.ops import Refused
from runcycles_server.governance.audit.deeds import Actor, Deed
from runcycles_server.governance.operator import Operator, error_of
from runcycles_server.governance.scopes import canonical_scope, owner_of
from runcycles_server.governance.stops import rules
from runcycles_server.governance.stops.bodies import StopCreate


async def stop(operator: Operator, request: StopCreate, actor: Actor) -> Stop:
    """A new stop; when this returns, nothing that it covers begins any more."""
    everything = request.target == EVERYTHING
    target = EVERYTHING if everything else canonical_scope(request.target, field="target")
    stop_id = short_id("stop")

    def transition(snapshot: Snapshot) -> Outcome[Stop | Refused]:
        made = Stop(
            stop_id=stop_id,
            target=target,
            reason=request.reason,
            stopped_by=actor.kind,
            stopped_at_ms=snapshot.now_ms,
        )
        return rules.stop(snapshot, made)

    return await operator.change(
        (STOPS_KEY, tenant_key(owner_of(target))),
        transition,
        deed=_deed("stop", stop_id, target, status=201),
        actor=actor,
    )


async def lift(operator: Operator, stop_id: str, actor: Actor) -> Stop:
    """The stop that held until now.

    Raises:
        CyclesProtocolError: there is none under this id.
    """
    held = next((each for each in await stops_now(operator) if each.stop_id == stop_id), None)
    if held is None:
        raise error_of(rules.unknown_stop(stop_id))
    return await operator.change(
        (STOPS_KEY,),
        lambda snapshot: rules.lift(snapshot, stop_id),
        deed=_deed("lift", stop_id, held.target),
        actor=actor,
    )


async def stops_now(operator: Operator) -> tuple[Stop, ...]:
    """Every stop that holds, the oldest first."""
    found: Stops | None = await operator.store.get(STOPS_KEY)
    return () if found is None else found.stops


def _deed(operation: str, stop_id: str, target: str, *, status: int = 200) -> Deed:
    return Deed(
        operation=operation,
        resource_type="stop",
        resource_id=stop_id,
        tenant=None if target == EVERYTHING else owner_of(target),
        status=status,
        part=lambda stops: rules.stop_in(stops, stop_id),
    )
