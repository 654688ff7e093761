"""The ledger's records as rows, and rows as records: one pair of functions a kind.

Values stand in the order of the columns. Reading a row makes a record, and a record asserts its own
invariants; a row that somebody bent does not come back as money.

The three kinds that every decision writes are made of plain `str`, `int` and `bytearray`: Python's
sqlite3 looks for an adapter for everything else, None and `bytes` included, and takes longer for
that than for the rest of the row.
"""

import json
from itertools import accumulate
from typing import Any, Final

from runcycles.ledger.state import (
    Account,
    Budget,
    Key,
    Remembered,
    Reservation,
    Tenant,
    TenantProfile,
)
from runcycles.types import (
    Action,
    Amount,
    BudgetStatus,
    ObserveMode,
    OveragePolicy,
    ReservationStatus,
    Subject,
    Unit,
    Usage,
)
from runcycles.wire.adapters import adapter, to_json
from runcycles_server.records import DecisionRecord
from runcycles_server.stores.sqlite.json_columns import free_text, text_of

Row = tuple[Any, ...]

NEVER: Final = -1
"""Stands in a column of moments for one that has not come."""


def account_row(record: Account) -> Row:
    """An account as a row."""
    return (
        record.tenant,
        record.scope,
        record.unit,
        record.allocated,
        record.spent,
        record.reserved,
        record.debt,
        record.overdraft_limit,
        record.is_over_limit,
        record.status,
        text_of(Budget, record.budget),
    )


def account_of(row: Row) -> Account:
    """The account in a row."""
    return Account(
        tenant=row[0],
        scope=row[1],
        unit=Unit(row[2]),
        allocated=row[3],
        spent=row[4],
        reserved=row[5],
        debt=row[6],
        overdraft_limit=row[7],
        is_over_limit=bool(row[8]),
        status=BudgetStatus(row[9]),
        budget=adapter(Budget).validate_json(row[10]),
    )


def tenant_row(record: Tenant) -> Row:
    """A tenant as a row."""
    return (
        record.tenant_id,
        record.status,
        record.overage_policy,
        record.default_ttl_ms,
        record.max_ttl_ms,
        record.max_extensions,
        record.observe_mode,
        None if record.profile is None else text_of(TenantProfile, record.profile),
    )


def tenant_of(row: Row) -> Tenant:
    """The tenant in a row; its status may be damaged, the rules look at that."""
    return Tenant(
        tenant_id=row[0],
        status=row[1],
        overage_policy=OveragePolicy(row[2]),
        default_ttl_ms=row[3],
        max_ttl_ms=row[4],
        max_extensions=row[5],
        observe_mode=ObserveMode(row[6]),
        profile=None if row[7] is None else adapter(TenantProfile).validate_json(row[7]),
    )


def reservation_row(record: Reservation) -> Row:
    """A reservation as a row."""
    estimate, metadata = record.estimate, record.metadata
    return (
        record.reservation_id,
        record.tenant,
        str(record.status),
        str(estimate.unit),
        estimate.amount,
        record.affected_scopes[-1],
        "\n".join(record.budgeted_scopes),
        text_of(Subject, record.subject),
        text_of(Action, record.action),
        "null" if metadata is None else free_text(metadata),
        str(record.overage_policy),
        record.idempotency_key,
        record.created_at_ms,
        record.expires_at_ms,
        record.grace_ms,
        record.max_extensions,
        record.extension_count,
        NEVER if record.finalized_at_ms is None else record.finalized_at_ms,
        "{}" if record.finalized_at_ms is None else _settlement(record),
        free_text(record.counted) if record.counted else "",
    )


def reservation_of(row: Row) -> Reservation:
    """The reservation in a row."""
    settlement = json.loads(row[18])
    metrics = settlement.get("metrics")
    return Reservation(
        reservation_id=row[0],
        tenant=row[1],
        status=ReservationStatus(row[2]),
        estimate=Amount(unit=Unit(row[3]), amount=row[4]),
        affected_scopes=_beginnings(row[5]),
        budgeted_scopes=tuple(row[6].split("\n")),
        subject=adapter(Subject).validate_json(row[7]),
        action=adapter(Action).validate_json(row[8]),
        metadata=json.loads(row[9]),
        overage_policy=OveragePolicy(row[10]),
        idempotency_key=row[11],
        created_at_ms=row[12],
        expires_at_ms=row[13],
        grace_ms=row[14],
        max_extensions=row[15],
        extension_count=row[16],
        finalized_at_ms=None if row[17] == NEVER else row[17],
        charged=settlement.get("charged"),
        committed_metadata=settlement.get("metadata"),
        committed_metrics=None if metrics is None else adapter(Usage).validate_python(metrics),
        release_reason=settlement.get("reason"),
        counted=adapter(tuple[Key, ...]).validate_json(row[19]) if row[19] else (),
    )


def _settlement(record: Reservation) -> str:
    """What the commit or the release said; what it did not say is left out."""
    metrics = record.committed_metrics
    said = {
        "charged": record.charged,
        "metadata": record.committed_metadata,
        "metrics": None if metrics is None else json.loads(to_json(Usage, metrics)),
        "reason": record.release_reason,
    }
    return free_text({name: value for name, value in said.items() if value is not None})


def reply_row(record: Remembered) -> Row:
    """A remembered reply as a row."""
    return (
        record.tenant,
        record.endpoint,
        record.idempotency_key,
        bytearray(record.fingerprint),
        bytearray(bytes(record.reply)),
        record.expires_at_ms,
        record.reservation_id,
        record.lease_expires_at_ms,
    )


def reply_of(row: Row) -> Remembered:
    """The remembered reply in a row."""
    return Remembered(
        tenant=row[0],
        endpoint=row[1],
        idempotency_key=row[2],
        fingerprint=row[3],
        reply=row[4],
        expires_at_ms=row[5],
        reservation_id=row[6],
        lease_expires_at_ms=row[7],
    )


def decision_row(record: DecisionRecord) -> Row:
    """A decision record as a row; an empty word stands for none."""
    return (
        record.decision_id,
        record.tenant,
        record.at_ms,
        record.reservation_id or "",
        record.request_ids,
        record.trace_id,
        record.idempotency_key,
        str(record.decision),
        str(record.reason or ""),
        record.facts,
        record.repeats,
    )


def decision_of(row: Row) -> DecisionRecord:
    """The decision record in a row."""
    return DecisionRecord(
        decision_id=row[0],
        tenant=row[1],
        at_ms=row[2],
        reservation_id=row[3] or None,
        request_ids=row[4],
        trace_id=row[5],
        idempotency_key=row[6],
        decision=row[7],
        reason=row[8] or None,
        facts=row[9],
        repeats=row[10],
    )


def _beginnings(scope_path: str) -> tuple[str, ...]:
    """Every scope of a path, root first: a lineage is the beginnings of its deepest scope."""
    return tuple(accumulate(scope_path.split("/"), "{}/{}".format))
