"""What the ledger remembers, what a rule may see, and what it wants changed.

Records are frozen; a rule never mutates one, it returns a new one in its `Outcome`. Each record
asserts its own invariants, so a broken one cannot be made by a rule nor read from a store.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, Protocol, SupportsBytes, TypeVar, dataclass_transform

from runcycles.types import (
    INT64_MAX,
    INT64_MIN,
    Action,
    Amount,
    BudgetStatus,
    Caps,
    Metadata,
    ObserveMode,
    OveragePolicy,
    ReservationStatus,
    Subject,
    TenantStatus,
    Unit,
    Usage,
)

Key = tuple[str, ...]
"""Names one record; the first word is its kind."""

MAX_NEEDS: Final = 4
"""How often a rule may ask for more records; a commit needs two, so four is a bug stop."""

DEFAULT_TTL_MS: Final = 60_000
DEFAULT_MAX_TTL_MS: Final = 3_600_000
DEFAULT_MAX_EXTENSIONS: Final = 10


def account_key(tenant: str, scope: str, unit: Unit) -> Key:
    """Budgets belong to a tenant even where their scope does not name it."""
    return ("account", tenant, scope, unit)


@lru_cache(maxsize=4_096)
def account_keys(tenant: str, scopes: tuple[str, ...], unit: Unit) -> tuple[Key, ...]:
    """The keys of several scopes; kept, because the same few subjects spend again and again."""
    return tuple(("account", tenant, scope, unit) for scope in scopes)


def tenant_key(tenant: str) -> Key:
    """The key of a tenant record."""
    return ("tenant", tenant)


def reservation_key(reservation_id: str) -> Key:
    """The key of a reservation; its id is unique across tenants."""
    return ("reservation", reservation_id)


def reply_key(tenant: str, endpoint: str, idempotency_key: str) -> Key:
    """The key under which a reply is remembered."""
    return ("reply", tenant, endpoint, idempotency_key)


C = TypeVar("C")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def frozen_record(*, kw_only: bool = True) -> Callable[[type[C]], type[C]]:
    """A dataclass that is frozen for the type checker, and only there.

    Refusing assignments at run time as well would triple the cost of making a record, and one
    decision makes a dozen. None of these leaves the authority.
    """
    return dataclass(slots=True, kw_only=kw_only, unsafe_hash=True)


SETTLED: Final = (ReservationStatus.COMMITTED, ReservationStatus.RELEASED)


class Record(Protocol):
    """Anything a store keeps."""

    @property
    def key(self) -> Key:
        """The name of this record."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the operator said about an account, apart from its numbers."""

    ledger_id: str
    created_at_ms: int
    updated_at_ms: int
    overage_policy: OveragePolicy | None = None
    rollover_policy: str = "NONE"
    period_start_ms: int | None = None
    period_end_ms: int | None = None
    caps: Caps | None = None
    metadata: Metadata | None = None


@frozen_record()
class Account:
    """One budget's ledger: four counters, from which what remains is derived."""

    tenant: str
    scope: str
    unit: Unit
    allocated: int
    spent: int = 0
    reserved: int = 0
    debt: int = 0
    overdraft_limit: int = 0
    is_over_limit: bool = False
    status: BudgetStatus = BudgetStatus.ACTIVE
    budget: Budget

    def __post_init__(self) -> None:
        # Their bits together are negative if one of them is, and too wide if one of them is.
        bits = self.allocated | self.spent | self.reserved | self.debt | self.overdraft_limit
        if bits < 0:
            raise AssertionError(f"the account {self.scope} would hold a negative counter: {self}")
        if bits > INT64_MAX or self.remaining < INT64_MIN:
            raise OverflowError(f"the numbers of {self.scope} would leave the 64-bit range")

    @property
    def key(self) -> Key:
        """The name of this record."""
        return ("account", self.tenant, self.scope, self.unit)

    @property
    def remaining(self) -> int:
        """What can still be reserved; negative after an overdraft or a lowered budget."""
        return self.allocated - self.spent - self.reserved - self.debt

    @property
    def blocked_by_overdraft(self) -> bool:
        """Over its limit, whether a capped charge flagged it or its debt outgrew the limit.

        Debt where there is no limit at all is another reason, `DEBT_OUTSTANDING`.
        """
        return self.is_over_limit or 0 < self.overdraft_limit < self.debt

    def moved(
        self, *, spent: int = 0, reserved: int = 0, debt: int = 0, flag: bool = False
    ) -> "Account":
        """This account after its counters moved by the given amounts."""
        return Account(
            tenant=self.tenant,
            scope=self.scope,
            unit=self.unit,
            allocated=self.allocated,
            spent=self.spent + spent,
            reserved=self.reserved + reserved,
            debt=self.debt + debt,
            overdraft_limit=self.overdraft_limit,
            is_over_limit=self.is_over_limit or flag,
            status=self.status,
            budget=self.budget,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantProfile:
    """What the operator said about a tenant, apart from what the rules read."""

    name: str
    created_at_ms: int
    updated_at_ms: int | None = None
    parent_tenant_id: str | None = None
    reservation_expiry_policy: str = "AUTO_RELEASE"
    suspended_at_ms: int | None = None
    closed_at_ms: int | None = None
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One tenant. `status` is checked where it is used: a damaged one must not pass as ACTIVE."""

    tenant_id: str
    status: str = TenantStatus.ACTIVE
    overage_policy: OveragePolicy = OveragePolicy.ALLOW_IF_AVAILABLE
    default_ttl_ms: int = DEFAULT_TTL_MS
    max_ttl_ms: int = DEFAULT_MAX_TTL_MS
    max_extensions: int = DEFAULT_MAX_EXTENSIONS
    observe_mode: ObserveMode = ObserveMode.ENFORCE
    profile: TenantProfile | None = None

    @property
    def key(self) -> Key:
        """The name of this record."""
        return ("tenant", self.tenant_id)


@frozen_record()
class Reservation:
    """One hold. `budgeted_scopes` is frozen when it is made; settling touches only those."""

    reservation_id: str
    tenant: str
    status: ReservationStatus
    subject: Subject
    action: Action
    estimate: Amount
    affected_scopes: tuple[str, ...]
    budgeted_scopes: tuple[str, ...]
    overage_policy: OveragePolicy
    idempotency_key: str
    created_at_ms: int
    expires_at_ms: int
    grace_ms: int
    max_extensions: int
    extension_count: int = 0
    finalized_at_ms: int | None = None
    charged: int | None = None
    metadata: Metadata | None = None
    committed_metadata: Metadata | None = None
    committed_metrics: Usage | None = None
    release_reason: str | None = None
    counted: tuple[Key, ...] = ()
    """The counters of its run, from which a release or an expiry takes it off again."""

    def __post_init__(self) -> None:
        if (self.charged is not None) != (self.status is ReservationStatus.COMMITTED):
            raise AssertionError(f"only a COMMITTED reservation is charged: {self}")
        if (self.finalized_at_ms is not None) != (self.status in SETTLED):
            raise AssertionError(f"a reservation is finalized by a commit or a release: {self}")

    @property
    def key(self) -> Key:
        """The name of this record."""
        return ("reservation", self.reservation_id)

    @property
    def scope_path(self) -> str:
        """The deepest scope of the subject."""
        return self.affected_scopes[-1]

    @property
    def settles_until_ms(self) -> int:
        """The last moment at which a commit or a release is accepted."""
        return self.expires_at_ms + self.grace_ms

    @property
    def account_keys(self) -> tuple[Key, ...]:
        """The accounts that hold this reservation's estimate, root first."""
        return account_keys(self.tenant, self.budgeted_scopes, self.estimate.unit)


@frozen_record()
class Remembered:
    """A reply kept for its idempotency key: the same request gets the same bytes again.

    A store that writes bytes asks the reply for them; one that keeps records keeps it as it is.
    """

    tenant: str
    endpoint: str
    idempotency_key: str
    fingerprint: bytes
    reply: SupportsBytes
    expires_at_ms: int
    reservation_id: str | None = None
    lease_expires_at_ms: int | None = None

    @property
    def key(self) -> Key:
        """The name of this record."""
        return ("reply", self.tenant, self.endpoint, self.idempotency_key)


@frozen_record(kw_only=False)
class Snapshot:
    """What a rule may see: records as they are at one moment, and that moment in epoch ms."""

    now_ms: int
    records: Mapping[Key, Any]

    def missing(self, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        """The keys that were not looked up yet (looked up and absent is `None`)."""
        return tuple([key for key in keys if key not in self.records])

    def account(self, key: Key) -> Account | None:
        """The account under this key, if there is one."""
        found: Account | None = self.records[key]
        return found

    def accounts(self, keys: tuple[Key, ...]) -> tuple[Account, ...]:
        """The accounts that exist among these keys, in their order."""
        return tuple([found for key in keys if (found := self.records[key]) is not None])

    def tenant(self, tenant: str) -> Tenant | None:
        """The tenant record, if there is one."""
        found: Tenant | None = self.records[tenant_key(tenant)]
        return found

    def reservation(self, reservation_id: str) -> Reservation | None:
        """The reservation, if there is one."""
        found: Reservation | None = self.records[reservation_key(reservation_id)]
        return found

    def remembered(self, key: Key) -> Remembered | None:
        """The reply kept under this key, unless its time is over."""
        found: Remembered | None = self.records[key]
        return found if found is not None and found.expires_at_ms > self.now_ms else None


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@frozen_record(kw_only=False)
class Outcome(Generic[T_co]):
    """What a rule answers, and the records it wants kept. No changes means nothing happens.

    `shown` are the accounts that the answer shows as balances; None where it shows none.
    """

    reply: T_co
    changes: tuple[Record, ...] = ()
    shown: tuple[Account, ...] | None = None


@frozen_record(kw_only=False)
class Need:
    """A rule's answer when its snapshot does not hold enough: load these and ask again."""

    keys: tuple[Key, ...]


Transition = Callable[[Snapshot], Outcome[T] | Need]
"""A rule together with its request. Pure: a store may call it several times."""
