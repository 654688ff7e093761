"""What is said about API keys over the wire."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import AwareDatetime

from runcycles.types import CLOSED
from runcycles_server.governance.fields import Description, Iso, Labels, Name, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCreate:
    """A new API key. What is left out of `permissions` the key may not do."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    tenant_id: TenantId
    name: Name
    description: Description | None = None
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
