"""What a charge does to the accounts when the actual amount is above what was held.

The arithmetic is that of the protocol's reference server: an overdraft books only the part that
no budget funds, and a scope without an overdraft limit is charged no further than to zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from runcycles.errors import ErrorCode
from runcycles.ledger.state import Account
from runcycles.ops import Refused
from runcycles.types import OveragePolicy


@dataclass(frozen=True, slots=True)
class Charge:
    """The amount really charged, and the accounts after it."""

    charged: int
    accounts: tuple[Account, ...]


def charge(
    accounts: tuple[Account, ...], *, held: int, actual: int, policy: OveragePolicy
) -> Charge | Refused:
    """Charge `actual` to every account, giving up `held`; all accounts move by the same amount.

    REJECT is decided before this is called: a commit refuses any overage, an event an overage
    beyond what remains.
    """
    extra = actual - held
    if extra <= 0:
        return Charge(actual, tuple(a.moved(reserved=-held, spent=actual) for a in accounts))
    if policy is OveragePolicy.ALLOW_WITH_OVERDRAFT:
        return _overdraw(accounts, held, extra)
    return _cap(accounts, held, extra)


def _cap(accounts: tuple[Account, ...], held: int, extra: int) -> Charge:
    """Charge the overage as far as every account can fund it, and flag those that could not."""
    funded = min([extra, *(_funds(account) for account in accounts)])
    return Charge(
        held + funded,
        tuple(
            account.moved(
                reserved=-held,
                spent=held + funded,
                flag=funded < extra and account.remaining < extra,
            )
            for account in accounts
        ),
    )


def _overdraw(accounts: tuple[Account, ...], held: int, extra: int) -> Charge | Refused:
    """Charge the overage, as debt where an account has a limit and no funds."""
    without_limit = (a for a in accounts if a.overdraft_limit == 0)
    booked = _lowest(extra, without_limit)
    for account in accounts:
        deficit = booked - _funds(account)
        if account.overdraft_limit and deficit > 0:
            debt = account.debt + deficit
            if debt > account.overdraft_limit:
                return _limit_exceeded(account, debt)

    # From here on it succeeds.
    after: list[Account] = []
    for account in accounts:
        spent = min(booked, _funds(account))
        short = booked < extra and not account.overdraft_limit and account.remaining < extra
        after.append(
            account.moved(reserved=-held, spent=held + spent, debt=booked - spent, flag=short)
        )
    return Charge(held + booked, tuple(after))


def _lowest(extra: int, accounts: Iterable[Account]) -> int:
    return min([extra, *(_funds(account) for account in accounts)])


def _funds(account: Account) -> int:
    """What an account can still pay; one that is below zero can pay nothing."""
    return max(account.remaining, 0)


def _limit_exceeded(account: Account, debt: int) -> Refused:
    return Refused(
        code=ErrorCode.OVERDRAFT_LIMIT_EXCEEDED,
        message=(
            f"{account.scope} would owe {debt} {account.unit}, "
            f"above its overdraft limit of {account.overdraft_limit}"
        ),
        scope=account.scope,
        remaining=account.remaining,
        suggested_fix=f"Repay debt of {account.scope} or raise its overdraft limit.",
    )
