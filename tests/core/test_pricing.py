"""Usage becomes money here, so every rounding goes up and nothing is ever silently free."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcycles.errors import ConfigurationError, UnknownPriceError
from runcycles.pricing import ModelUsage, PriceBook, TokenPrice, input_bound
from runcycles.types import Amount, Unit, tokens, usd

TOKENS = st.integers(min_value=0, max_value=200_000)


def usage(input_tokens: int, output_tokens: int, cached: int = 0) -> ModelUsage:
    return ModelUsage(input_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=cached)


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", None),
        ("gpt-4o", "openai"),
        ("openai/gpt-4o", None),
        ("openai:gpt-4o", None),
        ("azure/gpt-4o", None),
        ("gpt-4o", "azure_openai"),
        ("gpt-4o", "a proxy nobody knows"),
    ],
)
def test_one_model_has_one_price_however_its_provider_is_written(
    model: str, provider: str | None
) -> None:
    assert PriceBook().cost(model, usage(1_000, 1_000), provider=provider) == usd("0.0125")


def test_a_dated_name_costs_what_its_model_costs() -> None:
    book = PriceBook()
    dated = book.cost("gpt-4o-mini-2024-07-18", usage(1_000, 1_000))
    assert dated == book.cost("gpt-4o-mini", usage(1_000, 1_000))


def test_cached_input_costs_less_and_is_not_counted_twice() -> None:
    book = PriceBook()
    assert book.cost("gpt-4o", usage(1_000, 0, cached=1_000)).amount < (
        book.cost("gpt-4o", usage(1_000, 0)).amount
    )


def test_a_long_context_tier_is_applied() -> None:
    book = PriceBook()
    short, long = (
        book.cost("gemini-2.5-pro", usage(n, 0), provider="google").amount
        for n in (100_000, 1_000_000)
    )
    assert long > 10 * short


def test_a_price_is_that_of_the_day_of_the_call() -> None:
    book = PriceBook()
    before, after = (
        book.cost("o3", usage(1_000, 1_000), at=datetime(2025, month, 1, tzinfo=UTC)).amount
        for month in (6, 7)
    )
    assert before > after


def test_the_fraction_of_a_microcent_is_rounded_up() -> None:
    book = PriceBook({"tiny": TokenPrice(input="0.000001", output="0")})
    assert book.cost("tiny", usage(1, 0)).amount == 1
    assert book.cost("tiny", usage(0, 0)).amount == 0


def test_your_own_price_wins_over_the_bundled_one() -> None:
    book = PriceBook({"gpt-4o": TokenPrice(input=Decimal(1), output="2", cached_input="0.5")})
    assert book.cost("gpt-4o", usage(1_000_000, 1_000_000, cached=500_000)) == usd("2.75")
    assert book.bound("gpt-4o", input_tokens=1_000_000, output_tokens=0) == usd(1)


def test_an_unknown_model_is_refused_by_name() -> None:
    with pytest.raises(UnknownPriceError, match="'no-such-model'") as refusal:
        PriceBook().cost("no-such-model", usage(1, 1))
    assert refusal.value.model == "no-such-model"


def test_an_unknown_model_costs_the_amount_you_chose() -> None:
    book = PriceBook(unknown_price=usd("0.05"))
    assert book.bound("no-such-model", input_tokens=9, output_tokens=9) == usd("0.05")


@pytest.mark.parametrize("price", ["much", "-1", "NaN", "Infinity", 0.15, None])
def test_what_is_not_a_price_is_refused_at_once(price: object) -> None:
    with pytest.raises(ConfigurationError, match="dollars per million"):
        TokenPrice(input=price, output="1")  # type: ignore[arg-type]  # the point of the test


def test_an_unknown_price_in_tokens_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="dollars"):
        PriceBook(unknown_price=tokens(5))


@given(TOKENS, TOKENS, st.integers(min_value=0, max_value=100))
def test_no_call_costs_more_than_its_bound(
    input_tokens: int, output_tokens: int, cached_percent: int
) -> None:
    book = PriceBook()
    cached = input_tokens * cached_percent // 100
    for model in ("gpt-4o", "claude-sonnet-4-5", "gemini-2.5-pro"):
        bound = book.bound(model, input_tokens=input_tokens, output_tokens=output_tokens)
        read = book.cost(model, usage(input_tokens, output_tokens, cached))
        written = book.cost(
            model,
            ModelUsage(
                input_tokens=input_tokens, output_tokens=output_tokens, cache_write_tokens=cached
            ),
        )
        assert read.amount <= bound.amount
        assert written.amount <= bound.amount


@given(st.text(), st.integers(min_value=0, max_value=10))
def test_the_input_bound_is_never_below_the_bytes_sent(text: str, messages: int) -> None:
    assert input_bound(text, messages=messages) >= len(text.encode("utf-8", "surrogatepass"))


def test_a_dollar_runs_ten_short_calls_of_the_dearest_model() -> None:
    book, left = PriceBook(), usd(1).amount
    for _ in range(10):
        room = book.output_within("o1-pro", input_tokens=100, most=4_096, budget=left)
        assert room >= 100
        left -= book.cost("o1-pro", usage(60, 100)).amount
    assert left > 0


def test_the_output_limit_is_the_largest_that_fits() -> None:
    book, budget = PriceBook(), usd("0.01").amount
    room = book.output_within("gpt-4o", input_tokens=10, most=4_096, budget=budget)
    assert 0 < room < 4_096
    assert book.bound("gpt-4o", input_tokens=10, output_tokens=room).amount <= budget
    assert book.bound("gpt-4o", input_tokens=10, output_tokens=room + 1).amount > budget


def test_no_output_fits_an_empty_budget() -> None:
    assert PriceBook().output_within("gpt-4o", input_tokens=10, most=4_096, budget=0) == 0


def test_without_the_extra_only_your_own_prices_count() -> None:
    script = (
        "import sys; sys.modules['genai_prices'] = None\n"
        "from runcycles.pricing import ModelUsage, PriceBook, TokenPrice\n"
        "book = PriceBook({'mine': TokenPrice('1', '1')})\n"
        "used = ModelUsage(input_tokens=1, output_tokens=1)\n"
        "print(book.cost('mine', used).amount)\n"
        "book.cost('gpt-4o', used)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.stdout == "200\n"
    assert "install runcycles[prices]" in ran.stderr


def test_importing_the_price_book_does_not_load_the_prices() -> None:
    script = "import sys, runcycles.pricing; print('genai_prices' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "False\n"


def test_amounts_stay_in_dollars() -> None:
    cost = PriceBook().cost("gpt-4o", usage(1, 1))
    assert cost == Amount(unit=Unit.USD_MICROCENTS, amount=cost.amount)
