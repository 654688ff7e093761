"""Every rule about what an agent may do lives in this file, as those about money do in `rules`.

It looks at the stops and at the one policy that decides, before any budget is looked at.
"""

from functools import lru_cache

from runcycles.actions import risk_class_of
from runcycles.ledger.policies import Counter, Match, Quota, Stop
from runcycles.ledger.state import Key, Need, Snapshot, Tenant, frozen_record
from runcycles.ops import Refused, Reserve, Subjected
from runcycles.types import Caps, ObserveMode, RiskClass


@frozen_record()
class Considered:
    """One limit that applies to a question, and its counter before the question.

    `quota` is None where it is a rate limit of the policy.
    """

    key: Key
    limit: int
    counter: Counter | None
    quota: Quota | None = None

    @property
    def used(self) -> int:
        """What was counted so far."""
        return 0 if self.counter is None else self.counter.used

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more fits."""
        return self.used >= self.limit


@frozen_record()
class Standing:
    """What authority saw when it looked at a question, in the order in which it looks.

    `observed` says that a refusal is only told, not carried out. What comes after the first
    refusal was not looked at.
    """

    risk_class: RiskClass
    observed: bool = False
    stop: Stop | None = None
    match: Match | None = None
    quotas: tuple[Considered, ...] = ()
    rate: Considered | None = None
    refusal: Refused | None = None

    @property
    def caps(self) -> Caps | None:
        """The caps of the policy that decides."""
        return None if self.match is None else self.match.policy.caps


def standing_of(snapshot: Snapshot, op: Subjected, tenant: str) -> Standing | Need:
    """What authority has to say about a question of this tenant."""
    return _unregulated(op.action.kind, _observed(op, snapshot.tenant(tenant)))


@lru_cache(maxsize=4_096)
def _unregulated(kind: str, observed: bool) -> Standing:
    """Where nobody has said anything; the same for every question about this kind."""
    return Standing(risk_class=risk_class_of(kind), observed=observed)


def _observed(op: Subjected, owner: Tenant | None) -> bool:
    """Whether a refusal is only told: the request says so, else the tenant's record."""
    if not isinstance(op, Reserve):
        return False
    if op.observe_mode is not None:
        return op.observe_mode is ObserveMode.OBSERVE
    return owner is not None and owner.observe_mode is ObserveMode.OBSERVE
