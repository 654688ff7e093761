"""What is said about policies over the wire."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import AwareDatetime

from runcycles.ledger.policies import RateLimits, TtlOverride
from runcycles.types import CLOSED, Caps, Int32, Kind, OveragePolicy, QuotaWindow, RiskClass
from runcycles_server.governance.fields import (
    DEFAULT_PAGE_SIZE,
    Description,
    Iso,
    Name,
    ScopeText,
    SortDirection,
)

MAX_ALLOWLIST: Final = 200
"""Of hosts, domains or types in one quota, as many as a policy may list kinds."""

PolicyStatus = Literal["ACTIVE", "DISABLED"]
MaxCalls = Annotated[int, Ge(1), Le(100_000)]
RunTtlMs = Annotated[int, Ge(60_000), Le(604_800_000)]
Share = Annotated[float, Ge(0.01), Le(0.99)]
Hosts = Annotated[tuple[Annotated[str, MinLen(1), MaxLen(253)], ...], MaxLen(MAX_ALLOWLIST)]
Types = Annotated[tuple[Annotated[str, MinLen(1), MaxLen(128)], ...], MaxLen(MAX_ALLOWLIST)]
Kinds = Annotated[tuple[Kind, ...], MaxLen(200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionQuota:
    """At most so many reservations of one kind in a window; a filter that is not met skips it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    action_kind: Kind
    max_calls: MaxCalls
    window: QuotaWindow
    host_allowlist: Hosts = ()
    recipient_domain_allowlist: Hosts = ()
    resource_type_allowlist: Types = ()
    per_run_counter_ttl_ms: RunTtlMs | None = None
    threshold_pct: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskClassQuota:
    """At most so many reservations of all kinds of one risk class in a window."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    risk_class: RiskClass
    max_calls: MaxCalls
    window: QuotaWindow
    per_run_counter_ttl_ms: RunTtlMs | None = None
    threshold_pct: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTerms:
    """What may be said about a policy when it is made and later. An absent member says nothing."""

    description: Description | None = None
    priority: Int32 | None = None
    caps: Caps | None = None
    commit_overage_policy: OveragePolicy | None = None
    reservation_ttl_override: TtlOverride | None = None
    rate_limits: RateLimits | None = None
    effective_from: AwareDatetime | None = None
    effective_until: AwareDatetime | None = None
    action_quotas: Annotated[tuple[ActionQuota, ...], MaxLen(50)] | None = None
    risk_class_quotas: Annotated[tuple[RiskClassQuota, ...], MaxLen(20)] | None = None
    allowed_action_kinds: Kinds | None = None
    denied_action_kinds: Kinds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCreate(PolicyTerms):
    """A new policy for the scopes of a pattern; `tenant_id` is for the admin key alone."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: Name
    scope_pattern: ScopeText
    tenant_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyUpdate(PolicyTerms):
    """What becomes different: a member that is there replaces, and an empty one clears."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: Name | None = None
    status: PolicyStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """One policy as operators read it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    policy_id: str
    name: str
    description: str | None = None
    scope_pattern: str
    status: PolicyStatus
    priority: int
    caps: Caps | None = None
    commit_overage_policy: OveragePolicy | None = None
    reservation_ttl_override: TtlOverride | None = None
    rate_limits: RateLimits | None = None
    effective_from: Iso | None = None
    effective_until: Iso | None = None
    action_quotas: tuple[ActionQuota, ...]
    risk_class_quotas: tuple[RiskClassQuota, ...]
    allowed_action_kinds: tuple[str, ...]
    denied_action_kinds: tuple[str, ...]
    created_at: Iso
    updated_at: Iso | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPage:
    """Some policies; ask again with `next_cursor` for more."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    policies: tuple[PolicyView, ...]
    next_cursor: str | None = None
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyQuery:
    """Which policies of a tenant, the newest first; `tenant_id` is for the admin key."""

    sort_by: ClassVar[str] = "created_at"
    sort_dir: ClassVar[SortDirection] = "desc"

    tenant_id: str | None = None
    scope_pattern: str | None = None
    status: PolicyStatus | None = None
    has_action_quotas: bool | None = None
    references_action_kind: Kind | None = None
    limit: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None
