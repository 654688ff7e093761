"""The register of everything the store keeps: a new kind of record is one entry here.

(And one migration that makes its table.)
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from runcycles.errors import StoreCorruptError
from runcycles.ledger.policies import Counter, DeclaredKind, PolicyBook, Stops
from runcycles.ledger.state import Account, Key, Remembered, Reservation, Tenant
from runcycles_server.records import ApiKey, AuditEntry, DecisionRecord, Setting
from runcycles_server.stores.sqlite import operator_rows, rows
from runcycles_server.stores.sqlite.rows import Row

R = TypeVar("R")

DAMAGE: Final = (AssertionError, AttributeError, OverflowError, TypeError, ValueError)
"""What making a record of a damaged row raises; pydantic's errors are ValueErrors."""

AUDITED: Final = (
    *("at_ms", "tenant_id", "operation", "status", "key_id", "user_agent", "source_ip"),
    *("resource_type", "resource_id", "request_id", "trace_id", "error_code", "details"),
)
"""What an audit entry says. None of it ever changes, so to write one again does nothing."""


@dataclass(slots=True, kw_only=True, eq=False)
class Codec(Generic[R]):
    """How records of one type are kept.

    The first `key_length` columns are the words of the record's key, behind its kind. `fixed`
    columns never change once they are written, so rewriting a row leaves their indexes alone.
    Records of a `is_cached` kind are asked for again and again and stay in memory.
    """

    kind: str
    record: type[R]
    table: str
    columns: tuple[str, ...]
    key_length: int
    to_row: Callable[[R], Row]
    from_row: Callable[[Row], R]
    is_cached: bool = True
    fixed: frozenset[str] = frozenset()
    select: str = field(init=False)
    upsert: str = field(init=False)

    def __post_init__(self) -> None:
        names, key = ", ".join(self.columns), self.columns[: self.key_length]
        marks = ", ".join("?" * len(self.columns))
        changed = [c for c in self.columns if c not in key and c not in self.fixed]
        then = f"UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in changed)}"
        self.select = f"SELECT {names} FROM {self.table}"  # noqa: S608 - all names are ours
        self.upsert = (
            f"INSERT INTO {self.table} ({names}) VALUES ({marks}) "  # noqa: S608 - all names are ours
            f"ON CONFLICT ({', '.join(key)}) DO {then if changed else 'NOTHING'}"
        )

    def lookup(self, keys: int) -> str:
        """The query for this many keys at once; a join, since `IN` would scan the whole table."""
        mark = f"({', '.join('?' * self.key_length)})"
        wanted = f"(VALUES {', '.join([mark] * keys)})"
        key = enumerate(self.columns[: self.key_length], start=1)
        matches = " AND ".join(f"{column} = column{number}" for number, column in key)
        names = ", ".join(self.columns)
        return f"SELECT {names} FROM {wanted} CROSS JOIN {self.table} ON {matches}"  # noqa: S608 - ours

    def decode(self, row: Row) -> R:
        """The record in a row.

        Raises:
            StoreCorruptError: where the row cannot be such a record.
        """
        try:
            return self.from_row(row)
        except DAMAGE as problem:
            name = "/".join(map(str, row[: self.key_length]))
            raise StoreCorruptError(
                f"the row {name} of the table {self.table} is damaged ({problem}); "
                "nothing was changed: restore the database from a backup"
            ) from problem

    def key_of(self, row: Row) -> Key:
        """The key of the record in a row."""
        return (self.kind, *row[: self.key_length])


ACCOUNTS: Final = Codec(
    kind="account",
    record=Account,
    table="accounts",
    columns=(
        *("tenant", "scope", "unit", "allocated", "spent", "reserved", "debt"),
        *("overdraft_limit", "is_over_limit", "status", "budget"),
    ),
    key_length=3,
    to_row=rows.account_row,
    from_row=rows.account_of,
)
TENANTS: Final = Codec(
    kind="tenant",
    record=Tenant,
    table="tenants",
    columns=(
        *("tenant_id", "status", "overage_policy", "default_ttl_ms", "max_ttl_ms"),
        *("max_extensions", "observe_mode", "profile"),
    ),
    key_length=1,
    to_row=rows.tenant_row,
    from_row=rows.tenant_of,
)
RESERVATIONS: Final = Codec(
    kind="reservation",
    record=Reservation,
    table="reservations",
    columns=(
        *("reservation_id", "tenant", "status", "unit", "reserved", "scope_path"),
        *("budgeted_scopes", "subject", "action", "metadata", "overage_policy"),
        *("idempotency_key", "created_at_ms", "expires_at_ms", "grace_ms", "max_extensions"),
        *("extension_count", "finalized_at_ms", "settlement", "counted"),
    ),
    key_length=1,
    fixed=frozenset(
        {
            *("tenant", "subject", "action", "unit", "reserved", "scope_path", "budgeted_scopes"),
            *("overage_policy", "idempotency_key", "created_at_ms", "grace_ms", "max_extensions"),
            *("metadata", "counted"),
        }
    ),
    to_row=rows.reservation_row,
    from_row=rows.reservation_of,
)
REPLIES: Final = Codec(
    kind="reply",
    record=Remembered,
    table="replies",
    columns=(
        *("tenant", "endpoint", "idempotency_key", "fingerprint", "reply", "expires_at_ms"),
        *("reservation_id", "lease_expires_at_ms"),
    ),
    key_length=3,
    is_cached=False,
    to_row=rows.reply_row,
    from_row=rows.reply_of,
)
API_KEYS: Final = Codec(
    kind="api_key",
    record=ApiKey,
    table="api_keys",
    columns=(
        *("digest", "key_id", "tenant_id", "key_prefix", "name", "status", "created_at_ms"),
        *("expires_at_ms", "description", "permissions", "scope_filter", "revoked_at_ms"),
        *("revoked_reason", "metadata", "last_used_at_ms"),
    ),
    key_length=1,
    to_row=operator_rows.api_key_row,
    from_row=operator_rows.api_key_of,
)
SETTINGS: Final = Codec(
    kind="setting",
    record=Setting,
    table="settings",
    columns=("name", "value"),
    key_length=1,
    to_row=operator_rows.setting_row,
    from_row=operator_rows.setting_of,
)
POLICIES: Final = Codec(
    kind="policies",
    record=PolicyBook,
    table="policies",
    columns=("tenant", "policies"),
    key_length=1,
    to_row=operator_rows.policies_row,
    from_row=operator_rows.policies_of,
)
STOPS: Final = Codec(
    kind="stops",
    record=Stops,
    table="stops",
    columns=("name", "stops"),
    key_length=1,
    to_row=operator_rows.stops_row,
    from_row=operator_rows.stops_of,
)
COUNTERS: Final = Codec(
    kind="counter",
    record=Counter,
    table="counters",
    columns=(
        *("tenant", "scope", "counted", "quota_window", "bucket", "used", "max_calls"),
        *("policy_id", "begun_at_ms", "expires_at_ms", "last_incremented_at_ms"),
    ),
    key_length=5,
    to_row=operator_rows.counter_row,
    from_row=operator_rows.counter_of,
)
KINDS: Final = Codec(
    kind="kind",
    record=DeclaredKind,
    table="declared_kinds",
    columns=("kind", "risk_class", "description", "policy_key_spec"),
    key_length=1,
    to_row=operator_rows.kind_row,
    from_row=operator_rows.kind_of,
)
AUDIT: Final = Codec(
    kind="audit",
    record=AuditEntry,
    table="audit",
    columns=("log_id", *AUDITED),
    key_length=1,
    is_cached=False,
    fixed=frozenset(AUDITED),
    to_row=operator_rows.audit_row,
    from_row=operator_rows.audit_of,
)
DECISIONS: Final = Codec(
    kind="decision",
    record=DecisionRecord,
    table="decisions",
    columns=(
        *("decision_id", "tenant", "at_ms", "reservation_id", "request_ids", "trace_id"),
        *("idempotency_key", "decision", "reason", "facts", "repeats"),
    ),
    key_length=1,
    is_cached=False,
    to_row=rows.decision_row,
    from_row=rows.decision_of,
)

CODECS: Final[tuple[Codec[Any], ...]] = (
    ACCOUNTS,
    TENANTS,
    RESERVATIONS,
    REPLIES,
    API_KEYS,
    SETTINGS,
    POLICIES,
    STOPS,
    COUNTERS,
    KINDS,
    AUDIT,
    DECISIONS,
)
BY_KIND: Final = {codec.kind: codec for codec in CODECS}
BY_RECORD: Final = {codec.record: codec for codec in CODECS}
