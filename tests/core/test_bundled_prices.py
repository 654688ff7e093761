"""Bundled prices are multiplied here, so they have to come out as their own library says."""

from dataclasses import astuple
from datetime import UTC, datetime
from math import ceil

import pytest
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, Provider
from hypothesis import given
from hypothesis import strategies as st

from runcycles.bundled_prices import BundledPrice, bundled_price
from runcycles.pricing import ModelUsage
from runcycles.types import MICROCENTS_PER_USD

MODELS = [(provider, model) for provider in get_snapshot().providers for model in provider.models]
MOMENTS = st.integers(1_700_000_000, 1_800_000_000).map(lambda at: datetime.fromtimestamp(at, UTC))
"""Prices change by the year, and some by the hour."""
COUNTS = st.one_of(
    st.integers(0, 3),
    st.sampled_from([128_000, 200_000, 272_000]).flatmap(lambda n: st.integers(n - 1, n + 1)),
    st.integers(0, 2_000_000),
)


@st.composite
def usages(draw: st.DrawFn) -> ModelUsage:
    tokens = draw(COUNTS)
    cached = draw(st.integers(0, tokens))
    return ModelUsage(
        input_tokens=tokens,
        output_tokens=draw(COUNTS),
        cached_tokens=cached,
        cache_write_tokens=draw(st.integers(0, tokens - cached)),
    )


@given(st.sampled_from(MODELS), usages(), MOMENTS)
def test_every_bundled_model_costs_what_the_library_says(
    found: tuple[Provider, ModelInfo], usage: ModelUsage, at: datetime
) -> None:
    provider, model = found
    told = Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    expected = model.calc_price(told, provider, genai_request_timestamp=at).total_price
    counts: tuple[int, int, int, int] = astuple(usage)
    assert BundledPrice(model).microcents(*counts, at) == ceil(expected * MICROCENTS_PER_USD)


def test_each_tier_has_its_own_rates_in_whatever_order_they_are_asked_for() -> None:
    price, at = bundled_price("gemini-2.5-pro", "google"), datetime.now(tz=UTC)
    assert price is not None
    long, short, long_again = (
        price.microcents(count, 0, 0, 0, at) / count for count in (200_001, 200_000, 300_000)
    )
    assert long == long_again == 2 * short


def test_more_from_the_cache_than_went_in_is_no_usage() -> None:
    price = bundled_price("gpt-4o", "openai")
    assert price is not None
    with pytest.raises(ValueError, match="cannot exceed"):
        price.microcents(10, 0, 11, 0, datetime.now(tz=UTC))


def test_an_unknown_model_has_no_bundled_price() -> None:
    assert bundled_price("no-such-model", None) is None
