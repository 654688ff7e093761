"""How everything is stopped and goes on again. Pure transitions, like the ledger's rules.

No budget is touched: a stop is an entry in the one record that every decision looks at, so its
cost does not depend on how many budgets there are, and tenants made later are covered too.
"""

from runcycles.errors import ErrorCode
from runcycles.ledger.policies import EVERYTHING, MAX_STOPS, STOPS_KEY, Stop, Stops
from runcycles.ledger.state import Outcome, Snapshot
from runcycles.ops import Refused
from runcycles_server.governance.refusals import unknown_tenant
from runcycles_server.governance.scopes import owner_of


def stop(snapshot: Snapshot, stop: Stop) -> Outcome[Stop | Refused]:
    """One more stop, of a canonical target that is not stopped yet."""
    stops = stops_of(snapshot)
    owner = owner_of(stop.target)
    if stop.target != EVERYTHING and snapshot.tenant(owner) is None:
        return Outcome(unknown_tenant(owner))
    for other in stops.stops:
        if other.target == stop.target:
            return Outcome(_already_stopped(other))
    if len(stops.stops) >= MAX_STOPS:
        return Outcome(_too_many_stops())

    # From here on it succeeds.
    return Outcome(stop, (stops.adding(stop),))


def lift(snapshot: Snapshot, stop_id: str) -> Outcome[Stop | Refused]:
    """The stops without this one."""
    stops = stops_of(snapshot)
    lifted = stop_in(stops, stop_id)
    if lifted is None:
        return Outcome(unknown_stop(stop_id))

    # From here on it succeeds.
    return Outcome(lifted, (stops.lifting(stop_id),))


def stops_of(snapshot: Snapshot) -> Stops:
    """The stops that hold now."""
    found: Stops | None = snapshot.records[STOPS_KEY]
    return found or Stops()


def stop_in(stops: Stops | None, stop_id: str) -> Stop | None:
    """The stop under this id, if it holds."""
    held = () if stops is None else stops.stops
    return next((stop for stop in held if stop.stop_id == stop_id), None)


def unknown_stop(stop_id: str) -> Refused:
    """There is no stop under this id."""
    return Refused(
        code=ErrorCode.NOT_FOUND,
        message=f"There is no stop {stop_id}; it was lifted already, or never was",
    )


def _already_stopped(other: Stop) -> Refused:
    return Refused(
        code=ErrorCode.DUPLICATE_RESOURCE,
        message=f"{other.target} is stopped already, by {other.stop_id}: {other.reason}",
    )


def _too_many_stops() -> Refused:
    return Refused(
        code=ErrorCode.INVALID_REQUEST,
        message=f"{MAX_STOPS} stops hold, which is the most; stop a scope above instead",
    )
