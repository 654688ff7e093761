"""Stops as operators read them."""

from runcycles.ledger.policies import Stop
from runcycles_server.governance.moments import iso
from runcycles_server.governance.stops.bodies import StopView


def view(stop: Stop) -> StopView:
    """A stop as operators read it."""
    return StopView(
        stop_id=stop.stop_id,
        target=stop.target,
        reason=stop.reason,
        stopped_by=stop.stopped_by,
        stopped_at=iso(stop.stopped_at_ms),
    )
