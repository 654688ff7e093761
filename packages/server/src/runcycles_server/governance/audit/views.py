"""Audit entries as operators read them."""

from typing import Any

from runcycles.types import Action, Amount, Subject
from runcycles.wire.adapters import adapter
from runcycles_server.governance.audit.bodies import AuditLogEntry
from runcycles_server.governance.moments import iso
from runcycles_server.records import AuditEntry


def view(entry: AuditEntry) -> AuditLogEntry:
    """An entry as the operator reads it; of its details, the protocol has names for some."""
    details = dict(entry.details or {})
    subject, action, amount = (details.pop(name, None) for name in ("subject", "action", "amount"))
    return AuditLogEntry(
        log_id=entry.log_id,
        timestamp=iso(entry.at_ms),
        tenant_id=entry.tenant_id,
        key_id=entry.key_id,
        user_agent=entry.user_agent,
        source_ip=entry.source_ip,
        operation=entry.operation,
        resource_type=entry.resource_type,
        resource_id=entry.resource_id,
        request_id=entry.request_id,
        trace_id=entry.trace_id,
        status=entry.status,
        error_code=entry.error_code,
        subject=_typed(Subject, subject),
        action=_typed(Action, action),
        amount=_typed(Amount, amount),
        metadata=details or None,
    )


def _typed(record_type: type[Any], value: Any) -> Any:
    return None if value is None else adapter(record_type).validate_python(value)
