"""The ledger's ways to say no: one function each, with the sentence that helps.

The order in which budgets are checked is here too: one pass over all scopes for each reason, in
the order of `ReasonCode`, so a frozen leaf is named even where the root is exhausted as well.
"""

from runcycles.errors import ErrorCode, ReasonCode
from runcycles.ledger.state import Account, Reservation, Tenant
from runcycles.ops import Refused
from runcycles.types import Amount, BudgetStatus, TenantStatus, Unit


def tenant_refusal(tenant: Tenant | None, *, starts_something: bool = False) -> Refused | None:
    """Why the tenant's own state forbids this. Without a tenant record there is no restriction."""
    if tenant is None or tenant.status == TenantStatus.ACTIVE:
        return None
    if tenant.status == TenantStatus.CLOSED:
        return Refused(
            code=ErrorCode.TENANT_CLOSED,
            reason=ReasonCode.TENANT_CLOSED,
            message=f"The tenant {tenant.tenant_id} is closed; nothing of it can change",
            scope=f"tenant:{tenant.tenant_id}",
            suggested_fix="Use another tenant; closing is final.",
        )
    if tenant.status != TenantStatus.SUSPENDED:
        return Refused(
            code=ErrorCode.INTERNAL_ERROR,
            message=f"The record of the tenant {tenant.tenant_id} is damaged; nothing was changed",
        )
    if not starts_something:
        return None
    return Refused(
        code=ErrorCode.FORBIDDEN,
        reason=ReasonCode.TENANT_SUSPENDED,
        message=f"The tenant {tenant.tenant_id} is suspended: it may finish work, not start any",
        scope=f"tenant:{tenant.tenant_id}",
        suggested_fix=f"Reactivate the tenant {tenant.tenant_id}.",
    )


def budget_refusal(
    accounts: tuple[Account, ...],
    amount: Amount,
    *,
    is_event: bool = False,
    must_fit: bool = True,
) -> Refused | None:
    """Why these budgets forbid this amount; an event passes debt and over-limit scopes."""
    for account in accounts:
        if account.status == BudgetStatus.FROZEN:
            return _frozen(account, amount)
    for account in accounts:
        if account.status == BudgetStatus.CLOSED:
            return _closed(account, amount)
    if not is_event:
        for account in accounts:
            if account.blocked_by_overdraft:
                return _over_limit(account, amount)
        for account in accounts:
            if account.debt > 0 and account.overdraft_limit == 0:
                return _in_debt(account, amount)
    if must_fit:
        for account in accounts:
            if account.remaining < amount.amount:
                return _exceeded(account, amount)
    return None


def _frozen(account: Account, amount: Amount) -> Refused:
    return _denied(
        ReasonCode.BUDGET_FROZEN,
        account,
        amount,
        message=f"The {account.unit} budget of {account.scope} is frozen",
        fix=f"Unfreeze the budget of {account.scope}.",
    )


def _closed(account: Account, amount: Amount) -> Refused:
    return _denied(
        ReasonCode.BUDGET_CLOSED,
        account,
        amount,
        message=f"The {account.unit} budget of {account.scope} is closed",
        fix="Use a scope whose budget is open.",
    )


def _over_limit(account: Account, amount: Amount) -> Refused:
    return _denied(
        ReasonCode.OVERDRAFT_LIMIT_EXCEEDED,
        account,
        amount,
        message=(
            f"{account.scope} is over its limit: it owes {account.debt} {account.unit} "
            f"of at most {account.overdraft_limit}, or a charge had to be capped"
        ),
        fix=f"Fund {account.scope} or repay its debt; that clears the flag.",
    )


def _in_debt(account: Account, amount: Amount) -> Refused:
    return _denied(
        ReasonCode.DEBT_OUTSTANDING,
        account,
        amount,
        message=f"{account.scope} owes {account.debt} {account.unit} and has no overdraft",
        fix=f"Repay the debt of {account.scope}.",
    )


def _exceeded(account: Account, amount: Amount) -> Refused:
    short = amount.amount - account.remaining
    return _denied(
        ReasonCode.BUDGET_EXCEEDED,
        account,
        amount,
        message=(
            f"{account.scope} has {account.remaining} {account.unit} left of "
            f"{account.allocated}; {amount.amount} were asked for"
        ),
        fix=f"Fund {account.scope} with at least {short} {account.unit}, or ask for less.",
    )


def _denied(
    reason: ReasonCode, account: Account, amount: Amount, *, message: str, fix: str
) -> Refused:
    return Refused(
        code=ErrorCode(reason),
        reason=reason,
        message=message,
        scope=account.scope,
        requested=amount,
        remaining=account.remaining,
        suggested_fix=fix,
    )


def no_budget(scopes: tuple[str, ...], tenant: str, unit: Unit) -> Refused:
    """No scope of the lineage has a budget in any unit."""
    names_tenant = scopes[0].startswith("tenant:")
    fix = (
        f"Create a {unit} budget for {scopes[0]} or a scope below it."
        if names_tenant
        else f'Name the tenant in the subject ("tenant": "{tenant}"), or create such a budget.'
    )
    return Refused(
        code=ErrorCode.NOT_FOUND,
        reason=ReasonCode.BUDGET_NOT_FOUND,
        message=f"Budget not found for provided scope: {scopes[-1]}. {fix}",
        scope=scopes[-1],
        suggested_fix=fix,
    )


def unit_mismatch(accounts: tuple[Account, ...], asked: Unit) -> Refused:
    """Budgets exist, but in other units; the first scope that has any is named."""
    scope = accounts[0].scope
    units = [account.unit for account in accounts if account.scope == scope]
    return Refused(
        code=ErrorCode.UNIT_MISMATCH,
        message=f"{scope} has a budget in {', '.join(units)}, none in {asked}",
        scope=scope,
        details={"scope": scope, "requested_unit": asked, "expected_units": units},
    )


def overage_rejected(reservation: Reservation, actual: int) -> Refused:
    """A commit above its estimate, where the reservation's policy is REJECT."""
    unit = reservation.estimate.unit
    return Refused(
        code=ErrorCode.BUDGET_EXCEEDED,
        message=(
            f"The actual {actual} {unit} is above the reserved {reservation.estimate.amount}, "
            "and the reservation's overage policy is REJECT"
        ),
        scope=reservation.scope_path,
        requested=Amount(unit=unit, amount=actual),
        suggested_fix="Commit at most the reserved amount, or reserve with another policy.",
    )


def expired(reservation: Reservation) -> Refused:
    """Too late: the hold is gone, or is about to be given back."""
    return Refused(
        code=ErrorCode.RESERVATION_EXPIRED,
        message=(
            f"The reservation {reservation.reservation_id} expired at "
            f"{reservation.expires_at_ms} ms; report late spend as an event"
        ),
    )


def finalized(reservation: Reservation) -> Refused:
    """Already committed or released, under another key."""
    return Refused(
        code=ErrorCode.RESERVATION_FINALIZED,
        message=(
            f"The reservation {reservation.reservation_id} is already {reservation.status} "
            "and cannot change again"
        ),
    )


def too_many_extensions(reservation: Reservation) -> Refused:
    """The extension budget of the reservation is used up."""
    return Refused(
        code=ErrorCode.MAX_EXTENSIONS_EXCEEDED,
        message=(
            f"The reservation {reservation.reservation_id} was extended "
            f"{reservation.extension_count} times, its limit is {reservation.max_extensions}"
        ),
    )


def unknown_reservation(reservation_id: str) -> Refused:
    """Never existed, or finished so long ago that it is forgotten."""
    return Refused(code=ErrorCode.NOT_FOUND, message=f"There is no reservation {reservation_id}")


def foreign_reservation(reservation_id: str) -> Refused:
    """It exists and belongs to another tenant."""
    return Refused(
        code=ErrorCode.FORBIDDEN,
        message=f"The reservation {reservation_id} belongs to another tenant",
    )


def foreign_tenant(named: str, own: str) -> Refused:
    """The request names a tenant that is not the caller's."""
    return Refused(
        code=ErrorCode.FORBIDDEN,
        message=f"The key belongs to the tenant {own}; the request names {named}",
    )


def outside_filter(scope_path: str, scope_filter: tuple[str, ...]) -> Refused:
    """The caller's key is for other scopes."""
    return Refused(
        code=ErrorCode.FORBIDDEN,
        message=f"The key is for {', '.join(scope_filter)} only; {scope_path} lies outside",
        scope=scope_path,
    )


def key_reused(endpoint: str) -> Refused:
    """The idempotency key was used before, for a different request."""
    return Refused(
        code=ErrorCode.IDEMPOTENCY_MISMATCH,
        message=(
            f"This idempotency_key was already used for a different {endpoint} request; "
            "use a new key for a new request"
        ),
    )


def out_of_range(problem: OverflowError) -> Refused:
    """Carrying the request out would leave the 64-bit range; nothing was changed."""
    return Refused(code=ErrorCode.INVALID_REQUEST, message=f"amount: {problem}")
