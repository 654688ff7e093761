"""Counters as operators read them."""

from runcycles.ledger.policies import Counter
from runcycles.types import RiskClass
from runcycles_server.governance.counters.bodies import RISK, CounterView
from runcycles_server.governance.moments import iso


def view(counter: Counter) -> CounterView:
    """A counter as operators read it."""
    kind, _, risk_class = counter.counted.partition(":")
    return CounterView(
        action_kind=kind,
        risk_class=RiskClass(risk_class) if kind == RISK else None,
        scope=counter.scope,
        scope_path=counter.scope,
        window=counter.window,
        window_key=counter.bucket,
        used=counter.used,
        limit=counter.limit,
        remaining=max(0, counter.limit - counter.used),
        policy_id=counter.policy_id,
        expires_at=iso(counter.expires_at_ms),
        last_incremented_at=iso(counter.last_incremented_at_ms),
    )
