"""What is said about tenants over the wire."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le

from runcycles.ops import TtlMs
from runcycles.types import CLOSED, ObserveMode, OveragePolicy, TenantStatus
from runcycles_server.governance.fields import (
    DEFAULT_PAGE_SIZE,
    Iso,
    Labels,
    Name,
    Search,
    SortDirection,
    TenantId,
)

Extensions = Annotated[int, Ge(0), Le(2**31 - 1)]
ExpiryPolicy = Literal["AUTO_RELEASE", "MANUAL_CLEANUP", "GRACE_ONLY"]


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
    max_reservation_extensions: Extensions | None = None
    reservation_expiry_policy: ExpiryPolicy | None = None
    observe_mode: ObserveMode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantUpdate:
    """What is to be different; the rest stays, and metadata is replaced as a whole."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: Name | None = None
    status: TenantStatus | None = None
    metadata: Labels | None = None
    default_commit_overage_policy: OveragePolicy | None = None
    default_reservation_ttl_ms: TtlMs | None = None
    max_reservation_ttl_ms: TtlMs | None = None
    max_reservation_extensions: Extensions | None = None
    observe_mode: ObserveMode | None = None


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
    observe_mode: ObserveMode
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
    observe_mode: ObserveMode | None = None
    search: Search | None = None
    sort_by: Literal["tenant_id", "name", "status", "created_at"] = "created_at"
    sort_dir: SortDirection = "desc"
    limit: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None
