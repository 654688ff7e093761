"""What operators send and what they get back, in the words of the governance protocol.

Plain dataclasses, checked where they enter like the runtime's ops. Bodies are closed: an unknown
key is refused rather than lost.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import AwareDatetime, StringConstraints

from runcycles.ops import TtlMs
from runcycles.types import (
    CLOSED,
    Amount,
    BudgetStatus,
    IdempotencyKey,
    Metadata,
    OveragePolicy,
    SignedAmount,
    TenantStatus,
    Unit,
)

TenantId = Annotated[str, StringConstraints(pattern="^[a-z0-9-]+$", min_length=3, max_length=64)]
Name = Annotated[str, MinLen(1), MaxLen(256)]
Labels = Annotated[dict[str, str], MaxLen(32)]
Iso = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
PageSize = Annotated[int, Ge(1), Le(100)]
Search = Annotated[str, MaxLen(128)]
SortDirection = Literal["asc", "desc"]
ExpiryPolicy = Literal["AUTO_RELEASE", "MANUAL_CLEANUP", "GRACE_ONLY"]
RolloverPolicy = Literal["NONE", "CARRY_FORWARD", "CAP_AT_ALLOCATED"]
FundOperation = Literal["CREDIT", "DEBIT", "RESET", "RESET_SPENT", "REPAY_DEBT"]

DEFAULT_PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantCreate:
    """A new tenant, and what its reservations are like unless they say otherwise."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    tenant_id: TenantId
    name: Name
    parent_tenant_id: TenantId | None = None
    metadata: Labels | None = None
    default_commit_overage_policy: OveragePolicy | None = None
    default_reservation_ttl_ms: TtlMs | None = None
    max_reservation_ttl_ms: TtlMs | None = None
    max_reservation_extensions: Annotated[int, Ge(0), Le(2**31 - 1)] | None = None
    reservation_expiry_policy: ExpiryPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantView:
    """One tenant as the operator reads it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    tenant_id: str
    name: str
    status: TenantStatus
    created_at: Iso
    parent_tenant_id: str | None = None
    default_commit_overage_policy: OveragePolicy
    default_reservation_ttl_ms: int
    max_reservation_ttl_ms: int
    max_reservation_extensions: int
    reservation_expiry_policy: str
    metadata: dict[str, str] | None = None
    updated_at: Iso | None = None
    suspended_at: Iso | None = None
    closed_at: Iso | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPage:
    """Some tenants; ask again with `next_cursor` for more."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    tenants: tuple[TenantView, ...]
    next_cursor: str | None = None
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantQuery:
    """Which tenants, in which order."""

    status: TenantStatus | None = None
    parent_tenant_id: str | None = None
    search: Search | None = None
    sort_by: Literal["tenant_id", "name", "status", "created_at"] = "created_at"
    sort_dir: SortDirection = "desc"
    limit: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCreate:
    """A new API key. What is left out of `permissions` the key may not do."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    tenant_id: TenantId
    name: Name
    description: Annotated[str, MaxLen(1024)] | None = None
    permissions: tuple[str, ...] | None = None
    scope_filter: tuple[str, ...] | None = None
    expires_at: AwareDatetime | None = None
    metadata: Labels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCreated:
    """The new key. `key_secret` is shown this once and kept nowhere."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    key_id: str
    key_secret: str
    key_prefix: str
    tenant_id: str
    permissions: tuple[str, ...]
    created_at: Iso
    expires_at: Iso


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCreate:
    """A new budget for one scope and unit; `tenant_id` is for the admin key alone."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    scope: Annotated[str, MinLen(1), MaxLen(1024)]
    unit: Unit
    allocated: Amount
    tenant_id: str | None = None
    overdraft_limit: Amount | None = None
    commit_overage_policy: OveragePolicy | None = None
    rollover_policy: RolloverPolicy | None = None
    period_start: AwareDatetime | None = None
    period_end: AwareDatetime | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """One budget as operators read it: `allocated = remaining + reserved + spent + debt`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    ledger_id: str
    tenant_id: str
    scope: str
    scope_path: str
    unit: Unit
    allocated: Amount
    remaining: SignedAmount
    reserved: Amount
    spent: Amount
    debt: Amount
    overdraft_limit: Amount
    is_over_limit: bool
    commit_overage_policy: OveragePolicy | None = None
    status: BudgetStatus
    rollover_policy: str
    period_start: Iso | None = None
    period_end: Iso | None = None
    created_at: Iso
    updated_at: Iso


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPage:
    """Some budgets; ask again with `next_cursor` for more."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    ledgers: tuple[BudgetView, ...]
    next_cursor: str | None = None
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetQuery:
    """Which budgets, in which order. Utilisation is spent ÷ allocated, or 0."""

    tenant_id: str | None = None
    scope_prefix: str | None = None
    unit: Unit | None = None
    status: BudgetStatus | None = None
    over_limit: bool | None = None
    has_debt: bool | None = None
    utilization_min: Annotated[float, Ge(0), Le(1)] | None = None
    utilization_max: Annotated[float, Ge(0), Le(1)] | None = None
    search: Search | None = None
    sort_by: Literal[
        "tenant_id", "scope", "unit", "status", "commit_overage_policy", "utilization", "debt"
    ] = "utilization"
    sort_dir: SortDirection = "desc"
    limit: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundQuery:
    """Which budget is funded; `tenant_id` is for the admin key."""

    scope: Annotated[str, MinLen(1), MaxLen(1024)]
    unit: Unit
    tenant_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fund:
    """What the operator does to a budget's allocation."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    operation: FundOperation
    amount: Amount
    spent: Amount | None = None
    reason: Annotated[str, MaxLen(512)] | None = None
    idempotency_key: IdempotencyKey | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Funded:
    """The budget before and after."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    operation: FundOperation
    previous_allocated: Amount
    new_allocated: Amount
    previous_remaining: SignedAmount
    new_remaining: SignedAmount
    previous_debt: Amount
    new_debt: Amount
    previous_spent: Amount
    new_spent: Amount
    timestamp: Iso
