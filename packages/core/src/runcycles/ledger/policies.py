"""What operators say about actions: policies, the counters of their quotas, and stops.

Records only; `authority` holds the rules that read them. All policies of a tenant are one record,
its book, so a decision sees them with one lookup however many there are.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Final

from annotated_types import Ge, Le

from runcycles.ledger.state import Key, frozen_record
from runcycles.ops import TtlMs
from runcycles.types import CLOSED, Caps, Int32, OveragePolicy, QuotaWindow, RiskClass

MAX_POLICIES: Final = 2_000
"""Policies of one tenant; the book is one record, and is written whole."""
MAX_STOPS: Final = 1_000
"""Stops at one time; whoever needs more stops a scope above."""

MAX_MATCHED: Final = 4_096
"""Subjects whose policies a book knows by heart; then it begins to learn again."""

EVERYTHING: Final = "*"
"""The target of a stop that stops every tenant."""
STOPS_KEY: Final[Key] = ("stops", "all")
"""The one record of stops, seen by every decision of every tenant."""

Rate = Annotated[int, Ge(1), Le(2**31 - 1)]


def policies_key(tenant: str) -> Key:
    """The key of a tenant's book of policies."""
    return ("policies", tenant)


def counter_key(tenant: str, scope: str, counted: str, window: QuotaWindow, bucket: str) -> Key:
    """The key of one counter; `counted` is an action kind, or `__risk__:<class>`."""
    return ("counter", tenant, scope, counted, window, bucket)


def kind_key(kind: str) -> Key:
    """The key of an operator's declaration of a `custom.*` kind."""
    return ("kind", kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `max_calls` reservations in a window, of one kind or of one risk class."""

    max_calls: int
    window: QuotaWindow
    action_kind: str | None = None
    risk_class: RiskClass | None = None
    host_allowlist: tuple[str, ...] = ()
    recipient_domain_allowlist: tuple[str, ...] = ()
    resource_type_allowlist: tuple[str, ...] = ()
    per_run_counter_ttl_ms: int | None = None
    threshold_pct: float | None = None

    def __post_init__(self) -> None:
        if (self.action_kind is None) == (self.risk_class is None):
            raise AssertionError(f"a quota counts a kind or a risk class: {self}")

    @property
    def is_selective(self) -> bool:
        """Whether it counts only what is on one of its lists."""
        lists = self.host_allowlist or self.recipient_domain_allowlist
        return bool(lists or self.resource_type_allowlist)


@dataclass(frozen=True, slots=True, kw_only=True)
class TtlOverride:
    """What a policy says about leases, in ms; a longer request is shortened, never refused."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    default_ttl_ms: TtlMs | None = None
    max_ttl_ms: TtlMs | None = None
    max_extensions: Int32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """How often in one UTC minute."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    max_reservations_per_minute: Rate | None = None
    max_commits_per_minute: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One rule of an operator, for the scopes that its pattern matches."""

    policy_id: str
    name: str
    scope_pattern: str
    created_at_ms: int
    updated_at_ms: int | None = None
    is_active: bool = True
    description: str | None = None
    priority: int = 0
    caps: Caps | None = None
    overage_policy: OveragePolicy | None = None
    ttl_override: TtlOverride | None = None
    rate_limits: RateLimits | None = None
    effective_from_ms: int | None = None
    effective_until_ms: int | None = None
    quotas: tuple[Quota, ...] = ()
    allowed_action_kinds: tuple[str, ...] = ()
    denied_action_kinds: tuple[str, ...] = ()

    def holds_at(self, now_ms: int) -> bool:
        """Whether it counts at this moment: from its beginning, until just before its end."""
        since, until = self.effective_from_ms, self.effective_until_ms
        return (
            self.is_active
            and (since is None or since <= now_ms)
            and (until is None or now_ms < until)
        )


@frozen_record()
class Limit:
    """A quota that counts some kind of action, and where it counts: its counter but for the bucket.

    `place` begins the counter's key; what ends it is the run, or so many letters of this minute.
    """

    place: Key
    quota: Quota
    letters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The policy that decides, and the scope that its pattern matched: there its quotas count.

    `limits` keeps what was worked out before, by kind and risk class.
    """

    policy: Policy
    scope: str
    limits: dict[tuple[str, RiskClass], tuple[Limit, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBook:
    """All policies of a tenant, and which of them matched the subjects that asked so far."""

    tenant: str
    policies: tuple[Policy, ...] = ()
    by_pattern: Mapping[str, list[Policy]] = field(init=False, repr=False, compare=False)
    matched: dict[tuple[str, ...], list[Match]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_pattern: dict[str, list[Policy]] = defaultdict(list)
        for policy in sorted(self.policies, key=lambda each: (each.created_at_ms, each.policy_id)):
            by_pattern[policy.scope_pattern].append(policy)
        object.__setattr__(self, "by_pattern", dict(by_pattern))
        object.__setattr__(self, "matched", {})

    @property
    def key(self) -> Key:
        """The name of this record."""
        return policies_key(self.tenant)

    def keeping(self, policy: Policy) -> "PolicyBook":
        """This book with a policy in it, in the place of the one with its id."""
        others = tuple(each for each in self.policies if each.policy_id != policy.policy_id)
        return PolicyBook(tenant=self.tenant, policies=(*others, policy))

    def policy(self, policy_id: str) -> Policy | None:
        """The policy under this id, if there is one."""
        return next((found for found in self.policies if found.policy_id == policy_id), None)

    def match(self, scopes: tuple[str, ...], now_ms: int) -> Match | None:
        """The one policy that decides for a lineage: the highest priority of those that match.

        A policy covers what lies below the scopes it matches, as a budget does. Of equal
        priorities the one for the deeper scope decides, then the exact pattern, then the older.
        """
        found = self.matched.get(scopes)
        if found is None:
            found = self._matching(scopes)
            if len(self.matched) >= MAX_MATCHED:
                self.matched.clear()
            self.matched[scopes] = found
        return next((match for match in found if match.policy.holds_at(now_ms)), None)

    def _matching(self, scopes: tuple[str, ...]) -> list[Match]:
        """Every policy that matches, the one that decides first."""
        found = [
            Match(policy=policy, scope=scope)
            for pattern, scope in patterns_of(scopes)
            for policy in self.by_pattern.get(pattern, ())
        ]
        found.sort(key=lambda match: match.policy.priority, reverse=True)  # and else as it was
        return found


@lru_cache(maxsize=4_096)
def patterns_of(scopes: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Every pattern that matches one of these scopes, with that scope, the deepest first.

    The exact path, then `parent/level:*`, then `ancestor/*`, which matches all below it.
    """
    found: dict[str, str] = {}
    for depth in range(len(scopes) - 1, -1, -1):
        scope = scopes[depth]
        parent, _, segment = scope.rpartition("/")
        level = f"{segment.partition(':')[0]}:*"
        found.setdefault(scope, scope)
        found.setdefault(f"{parent}/{level}" if parent else level, scope)
        for ancestor in reversed(scopes[:depth]):
            found.setdefault(f"{ancestor}/*", scope)
    return tuple(found.items())


@frozen_record()
class Counter:
    """How many reservations one quota has counted in one window.

    `begun_at_ms` is when it began at nothing: what was reserved earlier is not in it.
    """

    tenant: str
    scope: str
    counted: str
    window: QuotaWindow
    bucket: str
    used: int
    limit: int
    policy_id: str
    begun_at_ms: int
    expires_at_ms: int
    last_incremented_at_ms: int

    def __post_init__(self) -> None:
        if self.used < 0:
            raise AssertionError(f"a counter would fall below nothing: {self}")

    @property
    def key(self) -> Key:
        """The name of this record."""
        return counter_key(self.tenant, self.scope, self.counted, self.window, self.bucket)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredKind:
    """A `custom.*` kind and what the operator says it can do."""

    kind: str
    risk_class: RiskClass
    description: str | None = None
    policy_key_spec: Mapping[str, bool | str] | None = None

    @property
    def key(self) -> Key:
        """The name of this record."""
        return kind_key(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """An emergency stop of everything, of a tenant or of a scope and all below it."""

    stop_id: str
    target: str
    reason: str
    stopped_by: str
    stopped_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """The stops that hold now."""

    stops: tuple[Stop, ...] = ()

    @property
    def key(self) -> Key:
        """The name of this record."""
        return STOPS_KEY

    def adding(self, stop: Stop) -> "Stops":
        """These and one more."""
        return Stops(stops=(*self.stops, stop))

    def lifting(self, stop_id: str) -> "Stops":
        """These without one."""
        return Stops(stops=tuple(stop for stop in self.stops if stop.stop_id != stop_id))

    def covering(self, scopes: tuple[str, ...]) -> Stop | None:
        """The first stop that covers a lineage."""
        for stop in self.stops:
            if stop.target == EVERYTHING or stop.target in scopes:
                return stop
        return None
