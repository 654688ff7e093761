"""What is said about API keys over the wire."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import MaxLen
from pydantic import AwareDatetime

from runcycles.types import CLOSED
from runcycles_server.governance.fields import (
    DEFAULT_PAGE_SIZE,
    Description,
    Iso,
    Labels,
    Name,
    Reason,
    Search,
    SortDirection,
    TenantId,
)

KeyStatus = Literal["ACTIVE", "REVOKED", "EXPIRED"]
Permissions = Annotated[tuple[str, ...], MaxLen(100)]
"""More than there are; a longer list repeats itself."""
ScopeFilter = Annotated[tuple[str, ...], MaxLen(100)]
"""Every question of the key is held against each entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCreate:
    """A new API key. What is left out of `permissions` the key may not do."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    tenant_id: TenantId
    name: Name
    description: Description | None = None
    permissions: Permissions | None = None
    scope_filter: ScopeFilter | None = None
    expires_at: AwareDatetime | None = None
    metadata: Labels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCreated:
    """The new key and all that it may do. `key_secret` is shown this once and kept nowhere."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    key_id: str
    key_secret: str = field(repr=False)
    key_prefix: str
    tenant_id: str
    permissions: tuple[str, ...]
    created_at: Iso
    expires_at: Iso


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUpdate:
    """What changes about a key; its tenant and its expiry never do.

    Lists and `metadata` replace what was there. An empty `scope_filter` lifts the limit.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: Name | None = None
    description: Description | None = None
    permissions: Permissions | None = None
    scope_filter: ScopeFilter | None = None
    metadata: Labels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevocation:
    """Why a key is revoked."""

    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """One key as operators read it; neither its secret nor what is kept of it is ever shown."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    key_id: str
    tenant_id: str
    key_prefix: str
    name: str
    description: str | None = None
    status: KeyStatus
    permissions: tuple[str, ...]
    scope_filter: tuple[str, ...] | None = None
    created_at: Iso
    last_used_at: Iso | None = None
    expires_at: Iso
    revoked_at: Iso | None = None
    revoked_reason: str | None = None
    metadata: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPage:
    """Some keys; ask again with `next_cursor` for more."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    keys: tuple[KeyView, ...]
    next_cursor: str | None = None
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyQuery:
    """Which keys, in which order; without `tenant_id` those of every tenant."""

    tenant_id: str | None = None
    status: KeyStatus | None = None
    search: Search | None = None
    sort_by: Literal["key_id", "name", "tenant_id", "status", "created_at", "expires_at"] = (
        "created_at"
    )
    sort_dir: SortDirection = "desc"
    limit: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyQuestion:
    """Whether this is the secret of a key that opens anything."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    key_secret: Annotated[str, MaxLen(1024)] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAnswer:
    """What a secret opens. Of a secret that is no key's, nothing is known but that."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    valid: bool
    tenant_id: str
    key_id: str | None = None
    permissions: tuple[str, ...] | None = None
    scope_filter: tuple[str, ...] | None = None
    expires_at: Iso | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the holder of a key can see and change."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    view_overview: bool = False
    view_budgets: bool = False
    view_events: bool = False
    view_webhooks: bool = False
    view_audit: bool = False
    view_tenants: bool = False
    view_api_keys: bool = False
    view_policies: bool = False
    view_reservations: bool = False
    manage_budgets: bool = False
    manage_policies: bool = False
    manage_webhooks: bool = False
    manage_reservations: bool = False
    manage_tenants: bool = False
    manage_api_keys: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Introspection:
    """Who is asking, and what they may do; the admin key is of no tenant."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    authenticated: Literal[True] = True
    auth_type: Literal["admin", "tenant"]
    permissions: tuple[str, ...]
    capabilities: Capabilities
    tenant_id: str | None = None
    scope_filter: tuple[str, ...] | None = None
