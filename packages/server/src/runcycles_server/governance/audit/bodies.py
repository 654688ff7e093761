"""What is said about the audit log over the wire."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le
from pydantic import StringConstraints

from runcycles.types import CLOSED, Action, Amount, Subject
from runcycles_server.governance.fields import DEFAULT_PAGE_SIZE, Iso, Search, SortDirection

HttpStatus = Annotated[int, Ge(100), Le(599)]
TraceId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLogEntry:
    """One thing that was done, or that was tried and refused."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    log_id: str
    timestamp: Iso
    tenant_id: str
    key_id: str | None = None
    user_agent: str | None = None
    source_ip: str | None = None
    operation: str
    resource_type: str | None = None
    resource_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    status: int
    error_code: str | None = None
    subject: Subject | None = None
    action: Action | None = None
    amount: Amount | None = None
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLogPage:
    """Some entries; ask again with `next_cursor` for more."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    logs: tuple[AuditLogEntry, ...]
    next_cursor: str | None = None
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLogQuery:
    """Which entries, in which order.

    `operation`, `resource_type`, `error_code` and `error_code_exclude` are lists with commas.
    """

    tenant_id: str | None = None
    key_id: str | None = None
    resource_id: str | None = None
    request_id: str | None = None
    trace_id: TraceId | None = None
    operation: str | None = None
    resource_type: str | None = None
    error_code: str | None = None
    error_code_exclude: str | None = None
    status: HttpStatus | None = None
    status_min: HttpStatus | None = None
    status_max: HttpStatus | None = None
    created_from: str | None = None
    created_to: str | None = None
    search: Search | None = None
    sort_by: Literal["timestamp", "operation", "resource_type", "tenant_id", "key_id", "status"] = (
        "timestamp"
    )
    sort_dir: SortDirection = "desc"
    limit: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None
