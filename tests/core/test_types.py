from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcycles.types import (
    INT64_MAX,
    MICROCENTS_PER_USD,
    Amount,
    Caps,
    Unit,
    tokens,
    usd,
)


@pytest.mark.parametrize(
    ("dollars", "microcents"),
    [
        ("0", 0),
        ("0.01", 1_000_000),
        ("1", 100_000_000),
        (5, 500_000_000),
        ("0.00000001", 1),
        (Decimal("2.5"), 250_000_000),
        ("1e2", 10_000_000_000),
        ("92233720368.54775807", INT64_MAX),
    ],
)
def test_dollars_are_counted_exactly(dollars: str | int | Decimal, microcents: int) -> None:
    assert usd(dollars) == Amount(unit=Unit.USD_MICROCENTS, amount=microcents)


@given(microcents=st.integers(0, INT64_MAX))
def test_every_amount_of_dollars_can_be_written(microcents: int) -> None:
    dollars, rest = divmod(microcents, MICROCENTS_PER_USD)
    assert usd(f"{dollars}.{rest:08}").amount == microcents


@pytest.mark.parametrize("dollars", [0.01, 1.0, True])
def test_dollars_are_not_taken_from_a_float(dollars: Any) -> None:
    with pytest.raises(TypeError, match=r'usd\("'):
        usd(dollars)


@pytest.mark.parametrize("dollars", ["-1", "0.000000001", "92233720368.54775808", "1e30"])
def test_dollars_outside_of_the_range_are_refused(dollars: str) -> None:
    with pytest.raises(ValueError, match="cannot be counted in microcents"):
        usd(dollars)


@pytest.mark.parametrize("dollars", ["", "five", "$5", "NaN", "Infinity", Decimal("sNaN")])
def test_what_is_no_amount_of_dollars_is_refused(dollars: Any) -> None:
    with pytest.raises(ValueError, match="is not an amount of dollars"):
        usd(dollars)


def test_tokens_are_counted_one_by_one() -> None:
    assert tokens(7) == Amount(unit=Unit.TOKENS, amount=7)


@pytest.mark.parametrize(
    ("caps", "allowed"),
    [
        (Caps(), True),
        (Caps(tool_allowlist=("search",)), True),
        (Caps(tool_allowlist=("mail",)), False),
        (Caps(tool_allowlist=("Search",)), False),
        (Caps(tool_denylist=("search",)), False),
        (Caps(tool_denylist=("mail",)), True),
        (Caps(tool_allowlist=("search",), tool_denylist=("search",)), True),
        (Caps(tool_allowlist=(), tool_denylist=("search",)), False),
    ],
)
def test_an_allowlist_decides_alone_unless_it_is_empty(caps: Caps, allowed: bool) -> None:
    assert caps.allows_tool("search") is allowed
