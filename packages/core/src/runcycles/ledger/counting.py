"""The counters of quotas and rate limits: what they stand at, one more, one fewer.

They count reservations, in the same outcome that makes the reservation. Only a run's counter is
ever given something back: when a reservation of the run is released or expires.
"""

from dataclasses import replace
from typing import Final

from runcycles.ledger.policies import Counter, Policy, Quota
from runcycles.ledger.state import Key, Reservation, Snapshot, frozen_record
from runcycles.ledger.windows import kept_ms
from runcycles.types import QuotaWindow, RiskClass

RESERVATIONS: Final = "__rate__:reservations"
"""What a policy's limit of reservations in a minute counts under."""
COMMITS: Final = "__rate__:commits"
"""What a policy's limit of commits in a minute counts under."""
_RATE_WINDOW: Final = QuotaWindow.PER_MINUTE
"""How long rate limits count."""


def counted_as(quota: Quota) -> str:
    """What a quota counts under: its kind, or its risk class."""
    return quota.action_kind or f"__risk__:{quota.risk_class}"


@frozen_record()
class Considered:
    """One limit of a policy that applies to a question, and its counter before the question.

    `quota` is None where it is the policy's rate limit; `used` is what was counted so far.
    """

    policy: Policy
    quota: Quota | None
    key: Key
    limit: int
    used: int
    counter: Counter | None

    @property
    def headroom(self) -> int:
        """How many more fit; negative where the limit was lowered."""
        return self.limit - self.used

    @property
    def scope(self) -> str:
        """Where it is counted."""
        return self.key[2]

    @property
    def window(self) -> QuotaWindow:
        """How long it is counted."""
        return _RATE_WINDOW if self.quota is None else self.quota.window

    @property
    def bucket(self) -> str:
        """Which window it is, or which run."""
        return self.key[5]

    @property
    def risk_class(self) -> RiskClass | None:
        """The class that is counted, where it is not a kind."""
        return None if self.quota is None else self.quota.risk_class

    def one_more(self, now_ms: int) -> Counter:
        """The counter after one more."""
        _, tenant, scope, counted, _, bucket = self.key
        window = self.window
        kept = None if self.quota is None else self.quota.per_run_counter_ttl_ms
        return Counter(
            tenant=tenant,
            scope=scope,
            counted=counted,
            window=window,
            bucket=bucket,
            used=self.used + 1,
            limit=self.limit,
            policy_id=self.policy.policy_id,
            begun_at_ms=now_ms if self.counter is None else self.counter.begun_at_ms,
            expires_at_ms=now_ms + (kept_ms(window) if kept is None else kept),
            last_incremented_at_ms=now_ms,
        )


def counter_at(snapshot: Snapshot, key: Key) -> Counter | None:
    """The counter under this key, unless its time is over."""
    found: Counter | None = snapshot.records[key]
    return found if found is not None and found.expires_at_ms > snapshot.now_ms else None


def given_back(snapshot: Snapshot, reservation: Reservation) -> tuple[Counter, ...]:
    """The counters of its run without this reservation.

    A counter that is gone is not made again, and one that has begun anew since does not hold it.
    """
    found = (counter_at(snapshot, key) for key in reservation.counted)
    return tuple(
        replace(each, used=each.used - 1)
        for each in found
        if each and each.used and each.begun_at_ms <= reservation.created_at_ms
    )


def reset(counter: Counter, now_ms: int) -> Counter:
    """The counter at nothing, as an operator wants it; a run's is kept as long as a new one."""
    expires_at_ms = counter.expires_at_ms
    if counter.window is QuotaWindow.PER_RUN:
        expires_at_ms += now_ms - counter.last_incremented_at_ms
    return replace(counter, used=0, begun_at_ms=now_ms, expires_at_ms=expires_at_ms)
