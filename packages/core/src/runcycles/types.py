"""The vocabulary of Cycles: small frozen values, with their ranges in their annotations.

Everything that speaks about spending uses these, so a limit is written once. The ranges and
lengths are the protocol's; `runcycles.wire` checks them where data enters, nothing else does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from annotated_types import Ge, Le, MaxLen, MinLen

INT64_MAX: Final = 2**63 - 1
INT64_MIN: Final = -(2**63)
MICROCENTS_PER_USD: Final = 100_000_000
MAX_FIX_LENGTH: Final = 512
"""Of a suggested fix; a scope alone may be longer, so it is cut."""

NonNegative = Annotated[int, Ge(0), Le(INT64_MAX)]
Int64 = Annotated[int, Ge(INT64_MIN), Le(INT64_MAX)]
EpochMs = NonNegative
Int32 = Annotated[int, Ge(0), Le(2**31 - 1)]
ScopeId = Annotated[str, MaxLen(128)]
IdempotencyKey = Annotated[str, MinLen(1), MaxLen(256)]
Kind = Annotated[str, MinLen(1), MaxLen(64)]
ToolName = Annotated[str, MaxLen(256)]
Dimensions = Annotated[Mapping[str, Annotated[str, MaxLen(256)]], MaxLen(16)]
Metadata = Mapping[str, Any]

CLOSED: Final[dict[str, Any]] = {"extra": "forbid"}
"""Read by pydantic: the protocol's objects take no unknown keys."""


class Unit(StrEnum):
    """What a budget counts. One reservation uses exactly one unit from start to end."""

    USD_MICROCENTS = "USD_MICROCENTS"
    TOKENS = "TOKENS"
    CREDITS = "CREDITS"
    RISK_POINTS = "RISK_POINTS"


class Verdict(StrEnum):
    """The protocol's three decisions."""

    ALLOW = "ALLOW"
    ALLOW_WITH_CAPS = "ALLOW_WITH_CAPS"
    DENY = "DENY"


class OveragePolicy(StrEnum):
    """What happens when the actual amount is above the estimate."""

    REJECT = "REJECT"
    ALLOW_IF_AVAILABLE = "ALLOW_IF_AVAILABLE"
    ALLOW_WITH_OVERDRAFT = "ALLOW_WITH_OVERDRAFT"


class ReservationStatus(StrEnum):
    """Where a reservation is in its life; only ACTIVE ones hold budget."""

    ACTIVE = "ACTIVE"
    COMMITTED = "COMMITTED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class BudgetStatus(StrEnum):
    """FROZEN and CLOSED budgets take no new reservations and no direct debits."""

    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"
    CLOSED = "CLOSED"


class TenantStatus(StrEnum):
    """SUSPENDED tenants start nothing new; CLOSED ones change nothing at all."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


class ObserveMode(StrEnum):
    """Whether a refusal blocks (ENFORCE; DISABLED means the same) or is only said (OBSERVE)."""

    DISABLED = "DISABLED"
    OBSERVE = "OBSERVE"
    ENFORCE = "ENFORCE"


class RiskClass(StrEnum):
    """What a kind of action can do to the world, from looking to what cannot be undone."""

    READ_ONLY = "read_only"
    LOCAL_MUTATION = "local_mutation"
    SIDE_EFFECT = "side_effect"
    EXTERNAL_SIDE_EFFECT = "external_side_effect"
    HIGH_RISK = "high_risk"


class QuotaWindow(StrEnum):
    """How long a quota counts before it starts again; all but `per_run` follow the UTC clock."""

    PER_RUN = "per_run"
    PER_MINUTE = "per_minute_tumbling"
    PER_HOUR = "per_hour_tumbling"
    PER_DAY = "per_day_tumbling"
    PER_TENANT_PER_DAY = "per_tenant_per_day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A quantity that is never negative, in the smallest step of its unit (USD: 10⁻⁸ dollars)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    unit: Unit
    amount: NonNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAmount:
    """A quantity that may be negative; only what remains of a budget can be."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    unit: Unit
    amount: Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who spends. At least one of the six levels is given; `dimensions` alone is not enough."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    tenant: ScopeId | None = None
    workspace: ScopeId | None = None
    app: ScopeId | None = None
    workflow: ScopeId | None = None
    agent: ScopeId | None = None
    toolset: ScopeId | None = None
    dimensions: Dimensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyKeys:
    """What an action touches, for quotas that look at it (protocol extension 0.1.26)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    host: Annotated[str, MaxLen(253)] | None = None
    recipient_domain: Annotated[str, MaxLen(253)] | None = None
    resource_type: Annotated[str, MaxLen(128)] | None = None
    path_prefix: Annotated[str, MaxLen(512)] | None = None
    custom: Annotated[Mapping[str, Annotated[str, MaxLen(256)]], MaxLen(8)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is about to be done, e.g. kind `llm.completion`, name `gpt-4o`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    kind: Kind
    name: Annotated[str, MinLen(1), MaxLen(256)]
    tags: Annotated[tuple[Annotated[str, MaxLen(64)], ...], MaxLen(10)] | None = None
    policy_keys: PolicyKeys | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Limits that come with a permission; absent ones do not limit."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    max_tokens: NonNegative | None = None
    max_steps_remaining: NonNegative | None = None
    tool_allowlist: tuple[ToolName, ...] | None = None
    tool_denylist: tuple[ToolName, ...] | None = None
    cooldown_ms: NonNegative | None = None

    def allows_tool(self, name: str) -> bool:
        """Whether a tool may run: a non-empty allowlist decides alone, else the denylist does."""
        if self.tool_allowlist:
            return name in self.tool_allowlist
        return name not in (self.tool_denylist or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a call really used, in raw measures (the protocol's StandardMetrics)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    tokens_input: Int32 | None = None
    tokens_output: Int32 | None = None
    latency_ms: Int32 | None = None
    model_version: Annotated[str, MaxLen(128)] | None = None
    custom: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One budget as its owner sees it: `remaining = allocated - spent - reserved - debt`.

    `scope` is the last segment of `scope_path`; read and key on `scope_path`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    scope: str
    scope_path: str
    remaining: SignedAmount
    reserved: Amount | None = None
    spent: Amount | None = None
    allocated: Amount | None = None
    debt: Amount | None = None
    overdraft_limit: Amount | None = None
    is_over_limit: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaViolation:
    """The quota that is used up: which one, and how far (protocol extension 0.1.26)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    action_kind: Kind
    window: QuotaWindow
    used: Int64
    limit: Int64
    scope: str
    window_key: str | None = None
    policy_id: str | None = None
    risk_class: RiskClass | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyDetail:
    """Why something was denied and what would allow it (protocol extension 0.1.26)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    reason_code: Annotated[str, MaxLen(128)]
    quota_violation: QuotaViolation | None = None
    blocked_by_scope: str | None = None
    blocked_by_policy: Annotated[str, MaxLen(256)] | None = None
    suggested_fix: Annotated[str, MaxLen(MAX_FIX_LENGTH)] | None = None
    budget_remaining: Int64 | None = None


def usd(dollars: str | int | Decimal) -> Amount:
    """Dollars as an exact amount: `usd("0.01")` is 1,000,000 µ¢.

    Raises:
        TypeError: for a float, which cannot say a cent exactly.
        ValueError: for a negative amount, or one finer than a microcent.
    """
    if isinstance(dollars, bool | float):
        raise TypeError(f'write the dollars as text to keep them exact: usd("{dollars}")')
    try:
        exact = Decimal(dollars) * MICROCENTS_PER_USD
        microcents = int(exact)
    except (InvalidOperation, OverflowError, ValueError):
        raise ValueError(
            f'{dollars!r} is not an amount of dollars; write e.g. usd("0.01")'
        ) from None
    if exact != microcents or not 0 <= microcents <= INT64_MAX:
        raise ValueError(
            f"{dollars} dollars cannot be counted in microcents (steps of 0.00000001, from 0 to "
            f"{INT64_MAX // MICROCENTS_PER_USD:,})"
        )
    return Amount(unit=Unit.USD_MICROCENTS, amount=microcents)


def tokens(count: int) -> Amount:
    """A number of tokens as an amount."""
    return Amount(unit=Unit.TOKENS, amount=count)
