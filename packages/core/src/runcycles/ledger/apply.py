"""An op becomes a transition: which records it may touch, and the rule that decides it.

This is the one way into the ledger. Servers, the embedded authority and the test authority all
ask here, so the order "tenancy, then the key's scopes, then replay, then rule" exists once.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, SupportsBytes, TypeVar, assert_never

from runcycles.ledger import rules, state
from runcycles.ledger.authority import Standing, authority_keys, standing_of
from runcycles.ledger.idempotency import (
    ASKED_FOR_MS,
    HELD_FOR_MS,
    RECORDED_FOR_MS,
    Answer,
    Keyed,
    remember,
    replay,
)
from runcycles.ledger.policies import policies_key
from runcycles.ledger.refusals import (
    foreign_reservation,
    foreign_tenant,
    out_of_range,
    outside_filter,
    unknown_reservation,
)
from runcycles.ledger.state import (
    Key,
    Need,
    Outcome,
    Reservation,
    Snapshot,
    Transition,
    account_keys,
    frozen_record,
    reservation_key,
    tenant_key,
)
from runcycles.ops import (
    Allowed,
    Commit,
    Decide,
    Extend,
    Extended,
    Held,
    Record,
    Refused,
    Release,
    Reserve,
    Subjected,
)
from runcycles.scopes import effective_lineage, lineage, passes_filter
from runcycles.types import Subject

R = TypeVar("R")

_Step = Outcome[Answer[Any]] | Need
"""What a transition of ours says; named once, since annotations of inner functions cost time."""

Witness = Callable[
    [Snapshot, Subjected, Standing, Outcome[Any] | Refused], "tuple[state.Record, ...] | Need"
]
"""Sees every fresh decision with what it was made of; its records are kept with the decision's.

Called for reserve (live, dry run, observed) and decide, allowed or denied. It is part of the
transition, so it is pure and may be called several times.
"""

ANY_TENANT: Final = None
"""The caller is an operator, who may settle reservations of every tenant."""


@frozen_record(kw_only=False)
class Plan(Generic[R]):
    """A transition and the records it starts from."""

    footprint: tuple[Key, ...]
    transition: Transition[R]


@frozen_record()
class Request(Generic[R]):
    """What the shell knows about a question besides the op itself.

    `tenant` is the caller's, `fingerprint` the SHA-256 of the canonical request, `encode` makes
    what is remembered, and `fresh_id` names the record if one is made. `scope_filter`
    is that of the caller's key.
    """

    tenant: str | None
    fingerprint: bytes
    encode: Callable[[Outcome[R]], SupportsBytes]
    fresh_id: str
    scope_filter: tuple[str, ...] | None = None
    witness: Witness | None = None


def plan(op: Subjected | Held, request: Request[Any]) -> Plan[Answer[Any]]:
    """The transition that decides this op for this caller."""
    if isinstance(op, Commit | Release | Extend):
        return Plan((reservation_key(op.reservation_id),), _within_range(_settling(op, request)))
    if request.tenant is None:
        raise ValueError("only a tenant can reserve, decide or record; an operator cannot")
    return _asking(op, request, request.tenant)


def _asking(op: Subjected, request: Request[Any], tenant: str) -> Plan[Answer[Any]]:
    """Reserve, decide, record: the scopes follow from the subject."""
    keyed = _keyed(op, request, tenant, _ENDPOINTS[type(op)])
    unit = (op.actual if isinstance(op, Record) else op.estimate).unit
    accounts = account_keys(tenant, lineage(op.subject), unit)
    footprint = (tenant_key(tenant), keyed.key, *authority_keys(op, tenant), *accounts)

    def transition(snapshot: Snapshot) -> _Step:
        if op.subject.tenant is not None and op.subject.tenant != tenant:
            return Outcome(foreign_tenant(op.subject.tenant, tenant))
        if refusal := _filtered(op.subject, tenant, request.scope_filter):
            return Outcome(refusal)
        if (earlier := replay(snapshot, keyed)) is not None:
            return earlier
        return _ask(op, snapshot, keyed, request)

    return Plan(footprint, _within_range(transition))


_ENDPOINTS: Final[dict[type, str]] = {Reserve: "reserve", Decide: "decide", Record: "event"}


def _ask(op: Subjected, snapshot: Snapshot, keyed: Keyed[Any], request: Request[Any]) -> _Step:
    """A fresh question: what authority sees, what the rule says, and what the witness keeps."""
    standing = standing_of(snapshot, op, keyed.tenant)
    if isinstance(standing, Need):
        return standing
    outcome: Outcome[Any] | Refused | Need
    match op:
        case Reserve() if op.dry_run or standing.observed:
            outcome = rules.dry_run(snapshot, op, standing, tenant=keyed.tenant)
            kept_for_ms = ASKED_FOR_MS
        case Reserve():
            outcome = rules.reserve(
                snapshot, op, standing, tenant=keyed.tenant, reservation_id=request.fresh_id
            )
            kept_for_ms = HELD_FOR_MS
        case Decide():
            outcome = rules.decide(snapshot, op, standing, tenant=keyed.tenant)
            kept_for_ms = ASKED_FOR_MS
        case Record():
            outcome = rules.record(
                snapshot, op, standing, tenant=keyed.tenant, event_id=request.fresh_id
            )
            kept_for_ms = RECORDED_FOR_MS
        case _:
            assert_never(op)
    if isinstance(outcome, Need):
        return outcome
    seen = _witnessed(op, snapshot, standing, outcome, request.witness)
    if isinstance(seen, Need):
        return seen
    lease_end = _lease_end(outcome)
    return remember(
        outcome,
        keyed,
        until_ms=snapshot.now_ms + kept_for_ms,
        reservation_id=None if lease_end is None else request.fresh_id,
        lease_expires_at_ms=lease_end,
        seen=seen,
    )


def _witnessed(
    op: Subjected,
    snapshot: Snapshot,
    standing: Standing,
    outcome: Outcome[Any] | Refused,
    witness: Witness | None,
) -> tuple[state.Record, ...] | Need:
    """What the witness wants kept of a decision. A request that is wrong in itself is none."""
    is_decision = not isinstance(outcome, Refused) or outcome.reason is not None
    if witness is None or isinstance(op, Record) or not is_decision:
        return ()
    return witness(snapshot, op, standing, outcome)


def _settling(op: Held, request: Request[Any]) -> Transition[Answer[Any]]:
    """Commit, release, extend: everything follows from the reservation."""
    own = request.tenant

    def transition(snapshot: Snapshot) -> _Step:
        reservation = snapshot.reservation(op.reservation_id)
        if reservation is None:
            return Outcome(unknown_reservation(op.reservation_id))
        if own is not ANY_TENANT and own != reservation.tenant:
            return Outcome(foreign_reservation(op.reservation_id))
        if refusal := _filtered(reservation.subject, reservation.tenant, request.scope_filter):
            return Outcome(refusal)
        endpoint = f"{type(op).__name__.lower()}/{op.reservation_id}"
        keyed = _keyed(op, request, reservation.tenant, endpoint)
        wanted = (keyed.key, tenant_key(reservation.tenant), *_settled_keys(op, reservation))
        if missing := snapshot.missing(wanted):
            return Need(missing)
        if (earlier := replay(snapshot, keyed)) is not None:
            return earlier
        return _settle(op, snapshot, keyed, reservation)

    return transition


def _settled_keys(op: Held, reservation: Reservation) -> tuple[Key, ...]:
    """What settling looks up: the accounts, and what counts commits or gets something back."""
    if isinstance(op, Release):
        return (*reservation.account_keys, *reservation.counted)
    if isinstance(op, Commit):
        return (*reservation.account_keys, policies_key(reservation.tenant))
    return reservation.account_keys


def _settle(op: Held, snapshot: Snapshot, keyed: Keyed[Any], reservation: Reservation) -> _Step:
    outcome: Outcome[Any] | Refused | Need
    match op:
        case Commit():
            outcome = rules.commit(snapshot, op, reservation)
        case Release():
            outcome = rules.release(snapshot, op, reservation)
        case Extend():
            outcome = rules.extend(snapshot, op, reservation)
        case _:
            assert_never(op)
    if isinstance(outcome, Need):
        return outcome
    lease_end = _lease_end(outcome)
    return remember(
        outcome,
        keyed,
        until_ms=snapshot.now_ms + HELD_FOR_MS if lease_end is None else lease_end,
        reservation_id=reservation.reservation_id,
        lease_expires_at_ms=lease_end,
    )


def expiry(reservation_id: str) -> Plan[bool]:
    """The transition by which the sweeper gives back what an overdue reservation holds."""

    def transition(snapshot: Snapshot) -> Outcome[Any] | Need:
        reservation = snapshot.reservation(reservation_id)
        return Outcome(False) if reservation is None else rules.expire(snapshot, reservation)

    return Plan((reservation_key(reservation_id),), transition)


def _filtered(
    subject: Subject, tenant: str, scope_filter: tuple[str, ...] | None
) -> Refused | None:
    """Why the caller's key is not for this subject, if it is not."""
    if scope_filter:
        scope_path = effective_lineage(subject, tenant)[-1]
        if not passes_filter(scope_path, scope_filter):
            return outside_filter(scope_path, scope_filter)
    return None


def _keyed(op: Subjected | Held, request: Request[Any], tenant: str, endpoint: str) -> Keyed[Any]:
    return Keyed(
        tenant=tenant,
        endpoint=endpoint,
        idempotency_key=op.idempotency_key,
        fingerprint=request.fingerprint,
        encode=request.encode,
    )


def _lease_end(outcome: Outcome[Any] | Refused) -> int | None:
    """When the lease that an outcome grants ends, if it grants one."""
    reply = outcome.reply if isinstance(outcome, Outcome) else None
    return reply.expires_at_ms if isinstance(reply, Allowed | Extended) else None


def _within_range(transition: Transition[Answer[Any]]) -> Transition[Answer[Any]]:
    """Counters that would leave int64 are a refusal, not a crash."""

    def guarded(snapshot: Snapshot) -> _Step:
        try:
            return transition(snapshot)
        except OverflowError as problem:
            return Outcome(out_of_range(problem))

    return guarded
