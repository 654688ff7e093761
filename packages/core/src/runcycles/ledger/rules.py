"""Every rule about money lives in this file.

It does no I/O, reads no clock, and does not know which store or framework is calling. Each rule
has two halves: checks in the protocol's order, each one a named refusal; then, from the comment
on, it succeeds, and one outcome says everything that changes.
"""

from dataclasses import replace

from runcycles.errors import ErrorCode
from runcycles.ledger import terms
from runcycles.ledger.action_refusals import rate_limited
from runcycles.ledger.authority import Standing, commit_rate
from runcycles.ledger.counting import given_back
from runcycles.ledger.lifecycle import Step, after
from runcycles.ledger.overage import charge
from runcycles.ledger.refusals import (
    budget_refusal,
    expired,
    finalized,
    no_budget,
    overage_rejected,
    tenant_refusal,
    too_many_extensions,
    unit_mismatch,
)
from runcycles.ledger.state import (
    Account,
    Need,
    Outcome,
    Reservation,
    Snapshot,
    account_key,
    account_keys,
)
from runcycles.ops import (
    DEFAULT_GRACE_MS,
    Allowed,
    CommitBody,
    Committed,
    Decide,
    Denied,
    ExtendBody,
    Extended,
    Record,
    Recorded,
    Refused,
    ReleaseBody,
    Released,
    Reserve,
)
from runcycles.scopes import leaf, lineage
from runcycles.types import (
    Amount,
    Balance,
    OveragePolicy,
    QuotaWindow,
    ReservationStatus,
    SignedAmount,
    Subject,
    Unit,
    Verdict,
)

UNIT_ORDER = tuple(Unit)


def reserve(
    snapshot: Snapshot, request: Reserve, standing: Standing, *, tenant: str, reservation_id: str
) -> Outcome[Allowed] | Refused | Need:
    """Hold the estimate in every budgeted scope of the lineage, or in none."""
    owner = snapshot.tenant(tenant)
    if refusal := tenant_refusal(owner, starts_something=True) or standing.refusal:
        return refusal
    scopes = lineage(request.subject)
    accounts = _budgeted(snapshot, tenant, scopes, request.estimate.unit)
    if isinstance(accounts, Refused | Need):
        return accounts
    if refusal := budget_refusal(accounts, request.estimate):
        return refusal

    # From here on it succeeds.
    now_ms, policy = snapshot.now_ms, standing.policy
    ttl_ms = terms.lease_ms(request.ttl_ms, policy, owner)
    grace_ms = DEFAULT_GRACE_MS if request.grace_period_ms is None else request.grace_period_ms
    held = tuple([account.moved(reserved=request.estimate.amount) for account in accounts])
    counters = standing.counters(now_ms)
    reservation = Reservation(
        reservation_id=reservation_id,
        tenant=tenant,
        status=ReservationStatus.ACTIVE,
        subject=request.subject,
        action=request.action,
        estimate=request.estimate,
        affected_scopes=scopes,
        budgeted_scopes=tuple([account.scope for account in accounts]),
        overage_policy=terms.overage_policy(request.overage_policy, policy, accounts, owner),
        idempotency_key=request.idempotency_key,
        created_at_ms=now_ms,
        expires_at_ms=now_ms + ttl_ms,
        grace_ms=grace_ms,
        max_extensions=terms.max_extensions(policy, owner),
        metadata=request.metadata,
        counted=tuple([each.key for each in counters if each.window is QuotaWindow.PER_RUN]),
    )
    caps = terms.caps(policy, accounts)
    reply = Allowed(
        decision=Verdict.ALLOW if caps is None else Verdict.ALLOW_WITH_CAPS,
        affected_scopes=scopes,
        reservation_id=reservation_id,
        expires_at_ms=reservation.expires_at_ms,
        remaining_ttl_ms=ttl_ms,
        scope_path=scopes[-1],
        reserved=request.estimate,
        caps=caps,
    )
    return Outcome(reply, (*held, *counters, reservation), shown=held)


def dry_run(
    snapshot: Snapshot, request: Reserve, standing: Standing, *, tenant: str
) -> Outcome[Allowed | Denied] | Refused | Need:
    """The answer `reserve` would give now, holding nothing."""
    outcome = reserve(snapshot, request, standing, tenant=tenant, reservation_id="")
    if isinstance(outcome, Refused):
        return _as_denial(outcome, request.subject)
    if isinstance(outcome, Need):
        return outcome
    scopes = outcome.reply.affected_scopes
    keys = account_keys(tenant, scopes, request.estimate.unit)
    reply = Allowed(
        decision=outcome.reply.decision,
        caps=outcome.reply.caps,
        affected_scopes=scopes,
        scope_path=scopes[-1],
        reserved=request.estimate,
    )
    return Outcome(reply, shown=snapshot.accounts(keys))


def decide(
    snapshot: Snapshot, request: Decide, standing: Standing, *, tenant: str
) -> Outcome[Allowed | Denied] | Refused | Need:
    """The decision alone: would `reserve` allow this now?"""
    question = Reserve(
        idempotency_key=request.idempotency_key,
        subject=request.subject,
        action=request.action,
        estimate=request.estimate,
    )
    outcome = dry_run(snapshot, question, standing, tenant=tenant)
    if isinstance(outcome, Refused | Need) or isinstance(outcome.reply, Denied):
        return outcome
    answer = outcome.reply
    return Outcome(
        Allowed(decision=answer.decision, caps=answer.caps, affected_scopes=answer.affected_scopes)
    )


def commit(
    snapshot: Snapshot, request: CommitBody, reservation: Reservation
) -> Outcome[Committed] | Refused | Need:
    """Settle a reservation with what was really used; the rest goes back."""
    if refusal := _cannot(Step.COMMIT, snapshot, reservation):
        return refusal
    estimate = reservation.estimate
    if request.actual.unit is not estimate.unit:
        return Refused(
            code=ErrorCode.UNIT_MISMATCH,
            message=(
                f"The reservation holds {estimate.unit}; "
                f"an actual in {request.actual.unit} cannot settle it"
            ),
        )
    if snapshot.now_ms > reservation.settles_until_ms:
        return expired(reservation)
    rate = commit_rate(snapshot, reservation)
    if isinstance(rate, Need):
        return rate
    if rate is not None and rate.headroom <= 0:
        return rate_limited(rate, snapshot.now_ms)
    actual = request.actual.amount
    if actual > estimate.amount and reservation.overage_policy is OveragePolicy.REJECT:
        return overage_rejected(reservation, actual)
    charged = charge(
        snapshot.accounts(reservation.account_keys),
        held=estimate.amount,
        actual=actual,
        policy=reservation.overage_policy,
    )
    if isinstance(charged, Refused):
        return charged

    # From here on it succeeds.
    settled = replace(
        reservation,
        status=ReservationStatus.COMMITTED,
        charged=charged.charged,
        finalized_at_ms=snapshot.now_ms,
        committed_metadata=request.metadata,
        committed_metrics=request.metrics,
    )
    freed = estimate.amount - charged.charged
    reply = Committed(
        charged=Amount(unit=estimate.unit, amount=charged.charged),
        released=Amount(unit=estimate.unit, amount=freed) if freed > 0 else None,
    )
    counters = () if rate is None else (rate.one_more(snapshot.now_ms),)
    return Outcome(reply, (*charged.accounts, *counters, settled), shown=charged.accounts)


def release(
    snapshot: Snapshot, request: ReleaseBody, reservation: Reservation
) -> Outcome[Released] | Refused:
    """Give the whole estimate back: the action did not happen."""
    if refusal := _cannot(Step.RELEASE, snapshot, reservation):
        return refusal
    if snapshot.now_ms > reservation.settles_until_ms:
        return expired(reservation)

    # From here on it succeeds.
    freed, counters = _freed(snapshot, reservation), given_back(snapshot, reservation)
    settled = replace(
        reservation,
        status=ReservationStatus.RELEASED,
        finalized_at_ms=snapshot.now_ms,
        release_reason=request.reason,
    )
    reply = Released(released=reservation.estimate)
    return Outcome(reply, (*freed, *counters, settled), shown=freed)


def extend(
    snapshot: Snapshot, request: ExtendBody, reservation: Reservation
) -> Outcome[Extended] | Refused:
    """Move the expiry of a running reservation; grace does not apply."""
    if refusal := _cannot(Step.EXTEND, snapshot, reservation):
        return refusal
    if snapshot.now_ms > reservation.expires_at_ms:
        return expired(reservation)
    if reservation.extension_count >= reservation.max_extensions:
        return too_many_extensions(reservation)

    # From here on it succeeds.
    extended = replace(
        reservation,
        expires_at_ms=reservation.expires_at_ms + request.extend_by_ms,
        extension_count=reservation.extension_count + 1,
    )
    reply = Extended(
        expires_at_ms=extended.expires_at_ms,
        remaining_ttl_ms=extended.expires_at_ms - snapshot.now_ms,
    )
    return Outcome(reply, (extended,), shown=snapshot.accounts(reservation.account_keys))


def expire(snapshot: Snapshot, reservation: Reservation) -> Outcome[bool] | Need:
    """Give back what an overdue reservation holds; False where it is not overdue (any more)."""
    if missing := snapshot.missing((*reservation.account_keys, *reservation.counted)):
        return Need(missing)
    status = after(reservation.status, Step.EXPIRE)
    if status is None or snapshot.now_ms <= reservation.settles_until_ms:
        return Outcome(False)

    # From here on it succeeds.
    freed, counters = _freed(snapshot, reservation), given_back(snapshot, reservation)
    return Outcome(True, (*freed, *counters, replace(reservation, status=status)))


def record(
    snapshot: Snapshot, request: Record, standing: Standing, *, tenant: str, event_id: str
) -> Outcome[Recorded] | Refused | Need:
    """Book spend that had no reservation, in every budgeted scope or in none.

    Of authority only a stop refuses it: what was done cannot be denied any more.
    """
    owner = snapshot.tenant(tenant)
    if refusal := tenant_refusal(owner) or standing.refusal:
        return refusal
    scopes = lineage(request.subject)
    accounts = _budgeted(snapshot, tenant, scopes, request.actual.unit)
    if isinstance(accounts, Refused | Need):
        return accounts
    policy = terms.overage_policy(request.overage_policy, standing.policy, accounts, owner)
    if refusal := budget_refusal(
        accounts, request.actual, is_event=True, must_fit=policy is OveragePolicy.REJECT
    ):
        return refusal
    actual = request.actual
    charged = charge(accounts, held=0, actual=actual.amount, policy=policy)
    if isinstance(charged, Refused):
        return charged

    # From here on it succeeds.
    capped = charged.charged < actual.amount
    reply = Recorded(
        event_id=event_id,
        charged=Amount(unit=actual.unit, amount=charged.charged) if capped else None,
    )
    return Outcome(reply, charged.accounts, shown=charged.accounts)


def balance(account: Account) -> Balance:
    """One account as its owner reads it; zero debt, limit and flag are left out."""
    unit = account.unit
    return Balance(
        scope=leaf(account.scope),
        scope_path=account.scope,
        remaining=SignedAmount(unit=unit, amount=account.remaining),
        reserved=Amount(unit=unit, amount=account.reserved),
        spent=Amount(unit=unit, amount=account.spent),
        allocated=Amount(unit=unit, amount=account.allocated),
        debt=Amount(unit=unit, amount=account.debt) if account.debt else None,
        overdraft_limit=(
            Amount(unit=unit, amount=account.overdraft_limit) if account.overdraft_limit else None
        ),
        is_over_limit=True if account.blocked_by_overdraft else None,
    )


def _budgeted(
    snapshot: Snapshot, tenant: str, scopes: tuple[str, ...], unit: Unit
) -> tuple[Account, ...] | Refused | Need:
    """The accounts that a request in this unit must pass, root first; never none."""
    accounts = snapshot.accounts(account_keys(tenant, scopes, unit))
    if accounts:
        return accounts
    every = tuple(account_key(tenant, scope, other) for scope in scopes for other in UNIT_ORDER)
    if missing := snapshot.missing(every):
        return Need(missing)
    others = snapshot.accounts(every)
    return unit_mismatch(others, unit) if others else no_budget(scopes, tenant, unit)


def _as_denial(refused: Refused, subject: Subject) -> Outcome[Denied] | Refused:
    """A refusal as an answer, where the protocol answers a dry run with DENY."""
    if refused.reason is None:
        return refused
    return Outcome(refused.as_denial(lineage(subject)))


def _cannot(step: Step, snapshot: Snapshot, reservation: Reservation) -> Refused | None:
    """Why this step is not open to the reservation: a closed tenant beats any state."""
    if refusal := tenant_refusal(snapshot.tenant(reservation.tenant)):
        return refusal
    if after(reservation.status, step) is not None:
        return None
    if reservation.status is ReservationStatus.EXPIRED:
        return expired(reservation)
    return finalized(reservation)


def _freed(snapshot: Snapshot, reservation: Reservation) -> tuple[Account, ...]:
    """The accounts without this reservation's hold. A budget that is gone is skipped."""
    accounts = snapshot.accounts(reservation.account_keys)
    return tuple(account.moved(reserved=-reservation.estimate.amount) for account in accounts)
