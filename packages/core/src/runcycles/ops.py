"""Every question one can ask the authority, and the type of its answer.

An op is a value: flows yield them, transports carry them, the ledger decides them. The fields
are exactly those of the protocol's request bodies.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from annotated_types import Ge, Le, MaxLen, MinLen

from runcycles.errors import ErrorCode, ReasonCode
from runcycles.types import (
    CLOSED,
    MAX_FIX_LENGTH,
    Action,
    Amount,
    Balance,
    Caps,
    DenyDetail,
    EpochMs,
    IdempotencyKey,
    Metadata,
    ObserveMode,
    OveragePolicy,
    QuotaViolation,
    ReservationStatus,
    Subject,
    Usage,
    Verdict,
)

R = TypeVar("R")

TtlMs = Annotated[int, Ge(1_000), Le(86_400_000)]
GraceMs = Annotated[int, Ge(0), Le(60_000)]
ExtendMs = Annotated[int, Ge(1), Le(86_400_000)]
ReservationId = Annotated[str, MinLen(1), MaxLen(128)]
PageLimit = Annotated[int, Ge(1), Le(200)]

DEFAULT_GRACE_MS = 5_000
DEFAULT_PAGE = 50


class Op(Generic[R]):
    """One question; `R` is the type of its answer."""

    __slots__ = ()


# ── answers ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Yes. A dry run or decide holds nothing, so it has no `reservation_id` and no lease.

    An `observed` answer to a live reserve holds nothing either: the authority only tells.
    """

    decision: Literal[Verdict.ALLOW, Verdict.ALLOW_WITH_CAPS] = Verdict.ALLOW
    affected_scopes: tuple[str, ...] = ()
    reservation_id: str | None = None
    expires_at_ms: EpochMs | None = None
    remaining_ttl_ms: EpochMs | None = None
    scope_path: str | None = None
    reserved: Amount | None = None
    caps: Caps | None = None
    balances: tuple[Balance, ...] | None = None
    observed: Literal[True] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """No, and why. `reason_code` is an open set; an unknown one is still a denial.

    An `observed` answer to a live reserve stops nothing: it tells what would have been refused.
    """

    reason_code: str
    message: str = ""
    affected_scopes: tuple[str, ...] = ()
    scope_path: str | None = None
    requested: Amount | None = None
    detail: DenyDetail | None = None
    retry_after_ms: int | None = None
    status: int = 200
    request_id: str | None = None
    trace_id: str | None = None
    observed: Literal[True] | None = None


Decision = Allowed | Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The ledger's no: nothing changed. `reason` is set where a dry run would answer DENY."""

    code: ErrorCode
    message: str
    reason: ReasonCode | None = None
    scope: str | None = None
    requested: Amount | None = None
    remaining: int | None = None
    suggested_fix: str | None = None
    policy_id: str | None = None
    quota: QuotaViolation | None = None
    retry_after_ms: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_denial(self, affected_scopes: tuple[str, ...]) -> Denied:
        """The same no as an answer to a question that holds nothing."""
        reason = self.reason or self.code
        return Denied(
            reason_code=reason,
            message=self.message,
            affected_scopes=affected_scopes,
            scope_path=affected_scopes[-1],
            requested=self.requested,
            detail=self.deny_detail,
            retry_after_ms=self.retry_after_ms,
        )

    @property
    def deny_detail(self) -> DenyDetail | None:
        """The protocol's account of a denial; other refusals have none."""
        if self.reason is None:
            return None
        return DenyDetail(
            reason_code=self.reason,
            quota_violation=self.quota,
            blocked_by_scope=self.scope,
            blocked_by_policy=self.policy_id,
            suggested_fix=self.suggested_fix and self.suggested_fix[:MAX_FIX_LENGTH],
            budget_remaining=self.remaining,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """The reservation is settled. `charged` is below the actual where the overage was capped."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    status: Literal["COMMITTED"] = "COMMITTED"
    charged: Amount
    released: Amount | None = None
    balances: tuple[Balance, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The hold went back to the budgets, whole."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    status: Literal["RELEASED"] = "RELEASED"
    released: Amount
    balances: tuple[Balance, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """The lease is longer: until `expires_at_ms` on the authority's clock."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    status: Literal["ACTIVE"] = "ACTIVE"
    expires_at_ms: EpochMs
    remaining_ttl_ms: EpochMs | None = None
    balances: tuple[Balance, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The spend is booked. `charged` is there only when it was capped."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    status: Literal["APPLIED"] = "APPLIED"
    event_id: str
    charged: Amount | None = None
    balances: tuple[Balance, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationView:
    """One reservation as its owner reads it; `committed` is what was charged."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    reservation_id: str
    status: ReservationStatus
    subject: Subject
    action: Action
    reserved: Amount
    created_at_ms: EpochMs
    expires_at_ms: EpochMs
    scope_path: str
    affected_scopes: tuple[str, ...]
    idempotency_key: str | None = None
    finalized_at_ms: EpochMs | None = None
    committed: Amount | None = None
    metadata: Metadata | None = None
    committed_metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationPage:
    """Some reservations; ask again with `next_cursor` for more."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    reservations: tuple[ReservationView, ...]
    next_cursor: str | None = None
    has_more: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancePage:
    """Some balances, one per scope and unit; ask again with `next_cursor` for more."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    balances: tuple[Balance, ...]
    next_cursor: str | None = None
    has_more: bool | None = None


# ── questions ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve(Op[Decision]):
    """May this happen, and hold the estimate if so.

    `dry_run` holds nothing, and so does `observe_mode=OBSERVE`, which is also recorded.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    idempotency_key: IdempotencyKey
    subject: Subject
    action: Action
    estimate: Amount
    ttl_ms: TtlMs | None = None
    grace_period_ms: GraceMs | None = None
    overage_policy: OveragePolicy | None = None
    dry_run: bool | None = None
    observe_mode: ObserveMode | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide(Op[Decision]):
    """Would this be allowed now? Holds nothing; the answer describes this moment only."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    idempotency_key: IdempotencyKey
    subject: Subject
    action: Action
    estimate: Amount
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitBody:
    """The body of a commit."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    idempotency_key: IdempotencyKey
    actual: Amount
    metrics: Usage | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(CommitBody, Op[Committed]):
    """The reserved action happened and used `actual`."""

    reservation_id: ReservationId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseBody:
    """The body of a release."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    idempotency_key: IdempotencyKey
    reason: Annotated[str, MaxLen(256)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(ReleaseBody, Op[Released]):
    """The reserved action did not happen; give the whole estimate back."""

    reservation_id: ReservationId


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendBody:
    """The body of an extend."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    idempotency_key: IdempotencyKey
    extend_by_ms: ExtendMs
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend(ExtendBody, Op[Extended]):
    """The reserved action takes longer: move the current expiry by `extend_by_ms`."""

    reservation_id: ReservationId


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Op[Recorded]):
    """Spend that happened without a reservation."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    idempotency_key: IdempotencyKey
    subject: Subject
    action: Action
    actual: Amount
    overage_policy: OveragePolicy | None = None
    metrics: Usage | None = None
    client_time_ms: EpochMs | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances(Op[BalancePage]):
    """The budgets whose scope contains every given segment; at least one is given."""

    tenant: str | None = None
    workspace: str | None = None
    app: str | None = None
    workflow: str | None = None
    agent: str | None = None
    toolset: str | None = None
    include_children: bool | None = None
    limit: PageLimit = DEFAULT_PAGE
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetReservation(Op[ReservationView]):
    """One reservation by its id."""

    reservation_id: ReservationId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReservations(Op[ReservationPage]):
    """Reservations by any combination of filters, all of which must match.

    Windows are inclusive ISO 8601 date-times with a zone; `include` names the optional members
    wanted (`metadata`, `committed_metadata`).
    """

    tenant: str | None = None
    idempotency_key: IdempotencyKey | None = None
    status: str | None = None
    workspace: str | None = None
    app: str | None = None
    workflow: str | None = None
    agent: str | None = None
    toolset: str | None = None
    created_from: str | None = None
    created_to: str | None = None
    expires_from: str | None = None
    expires_to: str | None = None
    finalized_from: str | None = None
    finalized_to: str | None = None
    sort_by: str | None = None
    sort_dir: str | None = None
    include: str | None = None
    limit: PageLimit = DEFAULT_PAGE
    cursor: str | None = None


Subjected = Reserve | Decide | Record
Held = Commit | Release | Extend
