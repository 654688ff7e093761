"""What only the operator's side keeps: frozen records, stored next to the ledger's own."""

from collections.abc import Mapping
from dataclasses import dataclass

from runcycles.ledger.state import Key


def api_key_key(digest: str) -> Key:
    """The key of an API key record; its secret is known by its digest alone."""
    return ("api_key", digest)


def setting_key(name: str) -> Key:
    """The key of a setting."""
    return ("setting", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key of a tenant. `digest` is the hex SHA-256 of the secret, which is kept nowhere."""

    key_id: str
    tenant_id: str
    digest: str
    key_prefix: str
    name: str
    created_at_ms: int
    expires_at_ms: int
    status: str = "ACTIVE"
    description: str | None = None
    permissions: tuple[str, ...] = ()
    scope_filter: tuple[str, ...] | None = None
    revoked_at_ms: int | None = None
    revoked_reason: str | None = None
    metadata: Mapping[str, str] | None = None

    @property
    def key(self) -> Key:
        """The name of this record."""
        return api_key_key(self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value that the operator set for the whole server, by name."""

    name: str
    value: str

    @property
    def key(self) -> Key:
        """The name of this record."""
        return setting_key(self.name)
