"""What may be done to a counter: let it begin at nothing again. Pure, like the ledger's rules."""

from runcycles.errors import ErrorCode
from runcycles.ledger import counting
from runcycles.ledger.state import Key, Outcome, Snapshot
from runcycles.ops import Refused
from runcycles.types import TenantStatus
from runcycles_server.governance.counters.bodies import CounterWasReset
from runcycles_server.governance.counters.views import view
from runcycles_server.governance.refusals import closed_tenant, unknown_tenant


def reset(snapshot: Snapshot, key: Key) -> Outcome[CounterWasReset | Refused]:
    """The counter under this key at nothing; its window ends when it would have."""
    _, tenant, scope, counted, _, bucket = key
    owner = snapshot.tenant(tenant)
    if owner is None:
        return Outcome(unknown_tenant(tenant))
    if owner.status == TenantStatus.CLOSED:
        return Outcome(closed_tenant(tenant))
    before = counting.counter_at(snapshot, key)
    if before is None:
        message = f"Nothing is counted for {counted} at {scope} in {bucket}"
        return Outcome(Refused(code=ErrorCode.NOT_FOUND, message=message, scope=scope))

    # From here on it succeeds.
    after = counting.reset(before, snapshot.now_ms)
    return Outcome(CounterWasReset(counter=view(after), previous_used=before.used), (after,))
