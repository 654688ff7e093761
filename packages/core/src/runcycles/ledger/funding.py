"""The operator's arithmetic: what funding does to an account.

Pure like the rules, and apart from them: spenders never move what was allocated, operators never
touch what is held or spent.
"""

from dataclasses import replace

from runcycles.errors import ErrorCode
from runcycles.ledger.refusals import out_of_range
from runcycles.ledger.state import Account
from runcycles.ops import Refused
from runcycles.types import Amount, BudgetStatus


def credit(account: Account, amount: Amount) -> Account | Refused:
    """Allocate more. Debt stays owed; the flag of a capped charge goes, the operator has acted."""
    if account.status == BudgetStatus.FROZEN:
        return _not_open(account, ErrorCode.BUDGET_FROZEN, "frozen")
    if account.status == BudgetStatus.CLOSED:
        return _not_open(account, ErrorCode.BUDGET_CLOSED, "closed")
    if amount.unit is not account.unit:
        return Refused(
            code=ErrorCode.UNIT_MISMATCH,
            message=f"{account.scope} counts {account.unit}; {amount.unit} cannot fund it",
            scope=account.scope,
        )
    try:
        # From here on it succeeds, unless the numbers would leave their range.
        return replace(
            account,
            allocated=account.allocated + amount.amount,
            is_over_limit=account.debt > account.overdraft_limit,
        )
    except OverflowError as problem:
        return out_of_range(problem)


def _not_open(account: Account, code: ErrorCode, state: str) -> Refused:
    return Refused(
        code=code,
        message=f"The {account.unit} budget of {account.scope} is {state} and takes no funds",
        scope=account.scope,
    )
