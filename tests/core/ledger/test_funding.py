"""What an operator does to a budget: the protocol's table, line by line, and any sequence of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcycles.errors import ErrorCode
from runcycles.ledger.funding import FundOperation, allow_overdraft, fund
from runcycles.ledger.state import Account, Budget
from runcycles.ops import Refused
from runcycles.testing import play
from runcycles.types import INT64_MAX, Amount, BudgetStatus, Unit, tokens

CREDIT, DEBIT = FundOperation.CREDIT, FundOperation.DEBIT
RESET, RESET_SPENT = FundOperation.RESET, FundOperation.RESET_SPENT
REPAY_DEBT = FundOperation.REPAY_DEBT


def account(*, allocated: int = 100, **fields: Any) -> Account:
    return Account(
        tenant="acme",
        scope="tenant:acme",
        unit=Unit.TOKENS,
        allocated=allocated,
        budget=Budget(ledger_id="b", created_at_ms=0, updated_at_ms=0),
        **fields,
    )


def funded(before: Account, operation: FundOperation, amount: int, **given: Any) -> Account:
    after = fund(before, operation, tokens(amount), **given)
    assert isinstance(after, Account), after
    return after


def refused(before: Account, operation: FundOperation, amount: Amount, **given: Any) -> Refused:
    answer = fund(before, operation, amount, **given)
    assert isinstance(answer, Refused), answer
    return answer


def test_a_credit_raises_what_is_allocated_and_nothing_else() -> None:
    play("""
        budget   acme          allocated 1000 reserved 100 spent 850 debt 50 overdraft 60
        fund     acme 200      -> funded
        balance  acme          -> allocated 1200 remaining 200 reserved 100 spent 850 debt 50
    """)


def test_a_credit_clears_the_flag_of_a_capped_charge_even_where_nothing_remains() -> None:
    play("""
        budget   acme          allocated 10 spent 10 over-limit
        fund     acme 0        -> funded
        balance  acme          -> remaining 0
    """)


def test_a_credit_leaves_the_flag_where_debt_is_above_its_limit() -> None:
    play("""
        budget   acme          allocated 100 debt 50 overdraft 10
        fund     acme 100      -> funded
        balance  acme          -> remaining 150 debt 50 over-limit
        reserve  r1 acme 1     -> denied OVERDRAFT_LIMIT_EXCEEDED at acme
    """)


def test_a_frozen_or_closed_budget_takes_no_funds() -> None:
    play("""
        budget   acme          allocated 100
        freeze   acme
        fund     acme 1        -> refused BUDGET_FROZEN at acme http 409
        close    acme
        fund     acme 1        -> refused BUDGET_CLOSED at acme http 409
        balance  acme          -> allocated 100
    """)


def test_the_worked_example_of_the_protocol() -> None:
    steps: list[tuple[FundOperation, int, tuple[int, int, int, int, int]]] = [
        # operation, amount -> allocated, remaining, reserved, spent, debt
        (CREDIT, 200, (1_200, 200, 100, 850, 50)),
        (DEBIT, 50, (1_150, 150, 100, 850, 50)),
        (REPAY_DEBT, 80, (1_180, 230, 100, 850, 0)),
        (RESET, 900, (900, -50, 100, 850, 0)),
        (RESET_SPENT, 1_000, (1_000, 900, 100, 0, 0)),
    ]
    now = account(allocated=1_000, reserved=100, spent=850, debt=50)
    for operation, amount, expected in steps:
        now = funded(now, operation, amount)
        figures = (now.allocated, now.remaining, now.reserved, now.spent, now.debt)
        assert figures == expected, operation


def test_a_part_of_a_debt_is_repaid_without_a_credit() -> None:
    after = funded(account(debt=50, overdraft_limit=60), REPAY_DEBT, 20)
    assert (after.allocated, after.debt, after.remaining) == (100, 30, 70)


def test_repaying_below_the_limit_takes_the_flag_away() -> None:
    owing = account(debt=50, overdraft_limit=10, is_over_limit=True)
    assert funded(owing, REPAY_DEBT, 39).is_over_limit
    assert not funded(owing, REPAY_DEBT, 40).is_over_limit


def test_a_new_period_may_start_with_something_spent() -> None:
    after = funded(account(reserved=10, spent=90, debt=5), RESET_SPENT, 50, spent=tokens(60))
    assert (after.allocated, after.spent, after.reserved, after.debt) == (50, 60, 10, 5)
    assert after.remaining == -25


@pytest.mark.parametrize("operation", [CREDIT, DEBIT, RESET, REPAY_DEBT])
def test_what_was_spent_is_said_with_reset_spent_alone(operation: FundOperation) -> None:
    answer = refused(account(), operation, tokens(1), spent=tokens(0))
    assert answer.code is ErrorCode.INVALID_REQUEST
    assert operation in answer.message


def test_a_debit_takes_at_most_what_remains() -> None:
    before = account(reserved=10, spent=30)
    assert funded(before, DEBIT, 60).remaining == 0
    answer = refused(before, DEBIT, tokens(61))
    assert (answer.code, answer.remaining) == (ErrorCode.BUDGET_EXCEEDED, 60)


@pytest.mark.parametrize("operation", FundOperation)
@pytest.mark.parametrize("status", [BudgetStatus.FROZEN, BudgetStatus.CLOSED])
def test_only_an_open_budget_is_funded_and_the_refusal_is_no_denial(
    operation: FundOperation, status: BudgetStatus
) -> None:
    answer = refused(account(status=status), operation, tokens(1))
    assert (answer.code, answer.reason) == (f"BUDGET_{status}", None)


@pytest.mark.parametrize("operation", FundOperation)
def test_funds_in_another_unit_are_refused(operation: FundOperation) -> None:
    answer = refused(account(), operation, Amount(unit=Unit.CREDITS, amount=1))
    assert answer.code is ErrorCode.UNIT_MISMATCH


def test_what_was_spent_is_in_the_budgets_unit_too() -> None:
    spent = Amount(unit=Unit.CREDITS, amount=1)
    answer = refused(account(), RESET_SPENT, tokens(1), spent=spent)
    assert answer.code is ErrorCode.UNIT_MISMATCH


def test_the_range_may_be_filled_and_not_left() -> None:
    full = funded(account(allocated=INT64_MAX - 1), CREDIT, 1)
    assert full.allocated == INT64_MAX
    assert refused(full, CREDIT, tokens(1)).code is ErrorCode.INVALID_REQUEST


def test_what_remains_may_not_leave_the_range_either() -> None:
    before = account(allocated=INT64_MAX, spent=INT64_MAX, reserved=INT64_MAX)
    assert refused(before, RESET, tokens(0)).code is ErrorCode.INVALID_REQUEST


def test_another_limit_decides_anew_whether_too_much_is_owed() -> None:
    owing = account(debt=50, overdraft_limit=50)
    assert allow_overdraft(owing, 49).is_over_limit
    assert not allow_overdraft(replace(owing, is_over_limit=True), 50).is_over_limit


# --- any sequence of operations, against a ledger that keeps what remains as a number ---


@dataclass
class Table:
    """The protocol's table as it is printed: five numbers, each moved by hand."""

    allocated: int
    remaining: int
    reserved: int
    spent: int
    debt: int

    def apply(self, operation: FundOperation, amount: int, spent: int | None) -> bool:
        """Whether the operation was taken."""
        if operation == "CREDIT":
            self.allocated += amount
            self.remaining += amount
        elif operation == "DEBIT":
            if self.remaining < amount:
                return False
            self.allocated -= amount
            self.remaining -= amount
        elif operation == "RESET":
            self.allocated = amount
            self.remaining = amount - self.reserved - self.spent - self.debt
        elif operation == "RESET_SPENT":
            self.allocated = amount
            self.spent = 0 if spent is None else spent
            self.remaining = amount - self.spent - self.reserved - self.debt
        else:
            repaid = min(self.debt, amount)
            self.allocated += amount - repaid
            self.remaining += amount
            self.debt -= repaid
        return True


Step = tuple[FundOperation, int, int | None]
Fund = Callable[..., Account | Refused]


def follow(steps: list[Step], now: Account, fund: Fund = fund) -> None:
    """Do the steps, and hold the account against the table after each."""
    table = Table(now.allocated, now.remaining, now.reserved, now.spent, now.debt)
    for operation, amount, said in steps:
        spent = said if operation is RESET_SPENT else None
        taken = table.apply(operation, amount, spent)
        given = None if spent is None else tokens(spent)
        answer = fund(now, operation, tokens(amount), spent=given)
        assert isinstance(answer, Account) == taken
        now = answer if isinstance(answer, Account) else now
        assert not taken or now.is_over_limit == (now.debt > now.overdraft_limit)
        figures = Table(now.allocated, now.remaining, now.reserved, now.spent, now.debt)
        assert figures == table
        assert table.allocated == table.remaining + table.reserved + table.spent + table.debt


FIGURE = st.integers(0, 1_000)
FIGURES = {"allocated": FIGURE, "reserved": FIGURE, "spent": FIGURE, "debt": FIGURE}


@given(
    start=st.fixed_dictionaries(FIGURES),
    limit=FIGURE,
    steps=st.lists(st.tuples(st.sampled_from(FundOperation), FIGURE, st.none() | FIGURE)),
)
def test_any_sequence_moves_the_numbers_as_the_table_says(
    start: dict[str, int], limit: int, steps: list[Step]
) -> None:
    follow(steps, account(**start, overdraft_limit=limit))


def a_repayment_loses_its_excess(before: Account, *how: Any, **given: Any) -> Account | Refused:
    after = fund(before, *how, **given)
    if isinstance(after, Account) and after.debt < before.debt:
        return replace(after, allocated=before.allocated)
    return after


def a_reset_forgets_what_was_spent(before: Account, *how: Any, **given: Any) -> Account | Refused:
    after = fund(before, *how, **given)
    return replace(after, spent=0) if how[0] is RESET and isinstance(after, Account) else after


def a_repayment_keeps_the_flag(before: Account, *how: Any, **given: Any) -> Account | Refused:
    after = fund(before, *how, **given)
    return replace(after, is_over_limit=True) if isinstance(after, Account) else after


@pytest.mark.parametrize(
    "broken",
    [a_repayment_loses_its_excess, a_reset_forgets_what_was_spent, a_repayment_keeps_the_flag],
)
def test_arithmetic_that_is_wrong_is_noticed(broken: Fund) -> None:
    steps: list[Step] = [(REPAY_DEBT, 80, None), (RESET, 900, None)]
    start = account(allocated=1_000, reserved=100, spent=850, debt=50, overdraft_limit=60)
    follow(steps, start)
    with pytest.raises(AssertionError):
        follow(steps, start, broken)
