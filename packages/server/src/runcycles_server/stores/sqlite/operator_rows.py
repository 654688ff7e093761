"""The operator's records as rows, and rows as records: one pair of functions a kind.

As in `rows`, values stand in the order of the columns, and a bent row makes no record.
"""

import json
from collections.abc import Mapping
from typing import Any

from runcycles.ledger.policies import Counter, DeclaredKind, Policy, PolicyBook, Stop, Stops
from runcycles.types import QuotaWindow, RiskClass
from runcycles.wire.adapters import adapter
from runcycles_server.records import ApiKey, AuditEntry, Setting
from runcycles_server.stores.sqlite.json_columns import free_text_or_null, parsed, text_of
from runcycles_server.stores.sqlite.rows import Row


def api_key_row(record: ApiKey) -> Row:
    """An API key as a row."""
    return (
        record.digest,
        record.key_id,
        record.tenant_id,
        record.key_prefix,
        record.name,
        record.status,
        record.created_at_ms,
        record.expires_at_ms,
        record.description,
        json.dumps(record.permissions),
        free_text_or_null(record.scope_filter),
        record.revoked_at_ms,
        record.revoked_reason,
        free_text_or_null(record.metadata),
        record.last_used_at_ms,
    )


def api_key_of(row: Row) -> ApiKey:
    """The API key in a row."""
    return ApiKey(
        digest=row[0],
        key_id=row[1],
        tenant_id=row[2],
        key_prefix=row[3],
        name=row[4],
        status=row[5],
        created_at_ms=row[6],
        expires_at_ms=row[7],
        description=row[8],
        permissions=tuple(json.loads(row[9])),
        scope_filter=None if row[10] is None else tuple(json.loads(row[10])),
        revoked_at_ms=row[11],
        revoked_reason=row[12],
        metadata=parsed(row[13]),
        last_used_at_ms=row[14],
    )


def setting_row(record: Setting) -> Row:
    """A setting as a row."""
    return (record.name, record.value)


def setting_of(row: Row) -> Setting:
    """The setting in a row."""
    return Setting(name=row[0], value=row[1])


def policies_row(record: PolicyBook) -> Row:
    """A book of policies as a row."""
    return (record.tenant, text_of(tuple[Policy, ...], record.policies))


def policies_of(row: Row) -> PolicyBook:
    """The book of policies in a row."""
    return PolicyBook(tenant=row[0], policies=adapter(tuple[Policy, ...]).validate_json(row[1]))


def stops_row(record: Stops) -> Row:
    """The stops as their only row."""
    return (*record.key[1:], text_of(tuple[Stop, ...], record.stops))


def stops_of(row: Row) -> Stops:
    """The stops in their only row."""
    return Stops(stops=adapter(tuple[Stop, ...]).validate_json(row[1]))


def counter_row(record: Counter) -> Row:
    """A counter as a row."""
    return (
        record.tenant,
        record.scope,
        record.counted,
        str(record.window),
        record.bucket,
        record.used,
        record.limit,
        record.policy_id,
        record.begun_at_ms,
        record.expires_at_ms,
        record.last_incremented_at_ms,
    )


def counter_of(row: Row) -> Counter:
    """The counter in a row."""
    return Counter(
        tenant=row[0],
        scope=row[1],
        counted=row[2],
        window=QuotaWindow(row[3]),
        bucket=row[4],
        used=row[5],
        limit=row[6],
        policy_id=row[7],
        begun_at_ms=row[8],
        expires_at_ms=row[9],
        last_incremented_at_ms=row[10],
    )


def kind_row(record: DeclaredKind) -> Row:
    """A declared kind as a row."""
    return (
        record.kind,
        record.risk_class,
        record.description,
        free_text_or_null(record.policy_key_spec),
    )


def kind_of(row: Row) -> DeclaredKind:
    """The declared kind in a row."""
    spec = parsed(row[3])
    return DeclaredKind(
        kind=row[0],
        risk_class=RiskClass(row[1]),
        description=row[2],
        policy_key_spec=adapter(Mapping[str, bool | str] | None).validate_python(spec),
    )


def audit_row(record: AuditEntry) -> Row:
    """An audit entry as a row."""
    return (
        record.log_id,
        record.at_ms,
        record.tenant_id,
        record.operation,
        record.status,
        record.key_id,
        record.user_agent,
        record.source_ip,
        record.resource_type,
        record.resource_id,
        record.request_id,
        record.trace_id,
        record.error_code,
        free_text_or_null(record.details),
    )


def audit_of(row: Row) -> AuditEntry:
    """The audit entry in a row."""
    return AuditEntry(
        log_id=row[0],
        at_ms=row[1],
        tenant_id=row[2],
        operation=row[3],
        status=row[4],
        key_id=row[5],
        user_agent=row[6],
        source_ip=row[7],
        resource_type=row[8],
        resource_id=row[9],
        request_id=row[10],
        trace_id=row[11],
        error_code=row[12],
        details=adapter(dict[str, Any] | None).validate_python(parsed(row[13])),
    )
