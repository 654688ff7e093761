"""What is said about budgets over the wire."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le
from pydantic import AwareDatetime

from runcycles.ledger.funding import FundOperation
from runcycles.types import (
    CLOSED,
    Amount,
    BudgetStatus,
    Caps,
    IdempotencyKey,
    Metadata,
    OveragePolicy,
    SignedAmount,
    Unit,
)
from runcycles_server.governance.fields import (
    DEFAULT_PAGE_SIZE,
    Iso,
    Reason,
    ScopeText,
    Search,
    SortDirection,
)

RolloverPolicy = Literal["NONE", "CARRY_FORWARD", "CAP_AT_ALLOCATED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCreate:
    """A new budget for one scope and unit; `tenant_id` is for the admin key alone."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    scope: ScopeText
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
class BudgetBalancePage:
    """The same budgets as balances, the way the governance protocol shows those."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    balances: tuple[BudgetView, ...]
    next_cursor: str | None = None
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceQuery:
    """Which of the caller's budgets; `tenant_id` counts for nothing, the API key says whose."""

    tenant_id: str | None = None
    scope_prefix: str | None = None
    unit: Unit | None = None
    limit: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None


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
class BudgetAt:
    """Which budget; there is one for a scope and a unit."""

    scope: ScopeText
    unit: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUpdate:
    """What is to be different; the rest stays, and metadata is replaced as a whole."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    overdraft_limit: Amount | None = None
    commit_overage_policy: OveragePolicy | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Why a budget is frozen or unfrozen, for the audit log."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    reason: Reason | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsUpdate:
    """The caps of what a budget allows; without them it caps nothing."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    caps: Caps | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCaps:
    """A budget's caps; absent where it caps nothing."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    tenant_id: str
    scope: str
    unit: Unit
    caps: Caps | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundQuery:
    """Which budget is funded; `tenant_id` is for the admin key."""

    scope: ScopeText
    unit: Unit
    tenant_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fund:
    """What the operator does to a budget's numbers; `spent` is for RESET_SPENT alone."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    operation: FundOperation
    amount: Amount
    spent: Amount | None = None
    reason: Reason | None = None
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
