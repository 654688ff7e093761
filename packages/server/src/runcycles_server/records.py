"""What only the operator's side keeps: frozen records, stored next to the ledger's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from runcycles.ledger.state import Key, frozen_record

UNAUTHENTICATED: Final = "__unauth__"
"""Stands in the audit log for the tenant of whoever could not say who they are."""


def api_key_key(digest: str) -> Key:
    """The key of an API key record; its secret is known by its digest alone."""
    return ("api_key", digest)


def audit_key(log_id: str) -> Key:
    """The key of an audit entry."""
    return ("audit", log_id)


def decision_key(decision_id: str) -> Key:
    """The key of a decision record."""
    return ("decision", decision_id)


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
    last_used_at_ms: int | None = None

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that an operator did, or that somebody tried and was refused. Never changed.

    `details` holds what it was before and after, and why; its shape depends on the operation.
    """

    log_id: str
    at_ms: int
    tenant_id: str
    operation: str
    status: int
    key_id: str | None = None
    user_agent: str | None = None
    source_ip: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    error_code: str | None = None
    details: Mapping[str, Any] | None = None

    @property
    def key(self) -> Key:
        """The name of this record."""
        return audit_key(self.log_id)


@frozen_record()
class DecisionRecord:
    """What the ledger saw when it answered a question, kept so that the answer can be explained.

    `facts` is JSON: the values at that moment in the order in which they were looked at. Of a
    denial that was repeated within a second there is one record, with the number of repeats and
    the ids of the first few requests, one a line.
    """

    decision_id: str
    tenant: str
    at_ms: int
    reservation_id: str | None
    request_ids: str
    trace_id: str
    idempotency_key: str
    decision: str
    reason: str | None
    facts: str
    repeats: int = 0

    @property
    def key(self) -> Key:
        """The name of this record."""
        return decision_key(self.decision_id)
