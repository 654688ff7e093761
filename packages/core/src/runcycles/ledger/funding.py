"""The operator's arithmetic: what funding does to an account.

Pure like the rules, and apart from them: spenders never move what was allocated, operators never
touch what is held. Since what remains is derived, `allocated = remaining + reserved + spent + debt`
holds after every operation by itself; what an operation must do is move the others rightly.
"""

from dataclasses import replace
from enum import StrEnum
from typing import assert_never

from runcycles.errors import ErrorCode
from runcycles.ledger.refusals import out_of_range
from runcycles.ledger.state import Account
from runcycles.ops import Refused
from runcycles.types import Amount, BudgetStatus


class FundOperation(StrEnum):
    """What an operator does to a budget.

    RESET says anew what is allocated and keeps what was spent; RESET_SPENT starts a new period.
    """

    CREDIT = "CREDIT"
    DEBIT = "DEBIT"
    RESET = "RESET"
    RESET_SPENT = "RESET_SPENT"
    REPAY_DEBT = "REPAY_DEBT"


def fund(
    account: Account, operation: FundOperation, amount: Amount, *, spent: Amount | None = None
) -> Account | Refused:
    """The account after the operation; `spent` is what RESET_SPENT starts the new period with."""
    if refusal := _cannot_fund(account, operation, amount, spent):
        return refusal
    try:
        # From here on it succeeds, unless the numbers would leave their range.
        funded = _moved(account, operation, amount.amount, spent.amount if spent else 0)
        return allow_overdraft(funded, account.overdraft_limit)
    except OverflowError as problem:
        return out_of_range(problem)


def allow_overdraft(account: Account, limit: int) -> Account:
    """The account with this limit. Its flag says again whether it owes more, and nothing else.

    That clears the flag of a capped charge: the operator has looked at the budget.
    """
    return replace(account, overdraft_limit=limit, is_over_limit=account.debt > limit)


def _moved(account: Account, operation: FundOperation, amount: int, spent: int) -> Account:
    match operation:
        case FundOperation.CREDIT:
            return replace(account, allocated=account.allocated + amount)
        case FundOperation.DEBIT:
            return replace(account, allocated=account.allocated - amount)
        case FundOperation.RESET:
            return replace(account, allocated=amount)
        case FundOperation.RESET_SPENT:
            return replace(account, allocated=amount, spent=spent)
        case FundOperation.REPAY_DEBT:
            repaid = min(account.debt, amount)
            credited = account.allocated + amount - repaid
            return replace(account, allocated=credited, debt=account.debt - repaid)
        case _:
            assert_never(operation)


def _cannot_fund(
    account: Account, operation: FundOperation, amount: Amount, spent: Amount | None
) -> Refused | None:
    unit, scope = account.unit, account.scope
    if spent is not None and operation is not FundOperation.RESET_SPENT:
        return Refused(
            code=ErrorCode.INVALID_REQUEST,
            message=f"spent: it belongs to RESET_SPENT; leave it out of {operation}",
        )
    if account.status == BudgetStatus.FROZEN:
        return _not_open(account, ErrorCode.BUDGET_FROZEN, "frozen")
    if account.status == BudgetStatus.CLOSED:
        return _not_open(account, ErrorCode.BUDGET_CLOSED, "closed")
    for given in (amount, spent):
        if given is not None and given.unit is not unit:
            return Refused(
                code=ErrorCode.UNIT_MISMATCH,
                message=f"{scope} counts {unit}; {given.unit} cannot fund it",
                scope=scope,
            )
    if operation is FundOperation.DEBIT and account.remaining < amount.amount:
        return Refused(
            code=ErrorCode.BUDGET_EXCEEDED,
            message=(
                f"{scope} has {account.remaining} {unit} left; {amount.amount} cannot be taken away"
            ),
            scope=scope,
            requested=amount,
            remaining=account.remaining,
            suggested_fix="Take less, or wait until reservations are settled.",
        )
    return None


def _not_open(account: Account, code: ErrorCode, state: str) -> Refused:
    return Refused(
        code=code,
        message=f"The {account.unit} budget of {account.scope} is {state} and takes no funds",
        scope=account.scope,
    )
