from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runcycles.errors import ErrorCode
from runcycles.ledger.funding import credit
from runcycles.ledger.state import Account, Budget
from runcycles.ops import Refused
from runcycles.testing import play
from runcycles.types import INT64_MAX, Amount, BudgetStatus, Unit, tokens


def account(*, allocated: int = 100, **fields: Any) -> Account:
    return Account(
        tenant="acme",
        scope="tenant:acme",
        unit=Unit.TOKENS,
        allocated=allocated,
        budget=Budget(ledger_id="b", created_at_ms=0, updated_at_ms=0),
        **fields,
    )


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


def test_a_refused_credit_is_not_a_denial() -> None:
    refused = credit(account(status=BudgetStatus.FROZEN), tokens(1))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.reason) == (ErrorCode.BUDGET_FROZEN, None)


def test_funds_in_another_unit_are_refused() -> None:
    refused = credit(account(), Amount(unit=Unit.CREDITS, amount=1))
    assert isinstance(refused, Refused)
    assert refused.code is ErrorCode.UNIT_MISMATCH


def test_the_range_may_be_filled_and_not_left() -> None:
    full = credit(account(allocated=INT64_MAX - 1), tokens(1))
    assert isinstance(full, Account)
    assert full.allocated == INT64_MAX
    refused = credit(full, tokens(1))
    assert isinstance(refused, Refused)
    assert refused.code is ErrorCode.INVALID_REQUEST


@given(amounts=st.lists(st.integers(0, 1_000)))
def test_credits_add_up(amounts: list[int]) -> None:
    funded: Account | Refused = account(allocated=0)
    for amount in amounts:
        assert isinstance(funded, Account)
        funded = credit(funded, tokens(amount))
    assert isinstance(funded, Account)
    assert funded.allocated == funded.remaining == sum(amounts)
