"""The prices that come with `genai-prices` (extra `runcycles[prices]`): tiers, dates, no network.

It is imported on first use. To ask it for a price takes longer than to decide about a call; but
between two tiers every token of a kind costs the same, so it is asked once about each kind, and
what it said is multiplied here, as whole numbers: they are exact, and faster than decimals.
"""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, lcm
from typing import Any

from runcycles.types import MICROCENTS_PER_USD


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rates:
    """What a call costs between two tiers, for itself and for each token: in µ¢ / `steps`."""

    call: int
    fresh: int
    cached: int
    written: int
    output: int
    steps: int


class _Tariff:
    """What a model costs at one time. Its tiers begin where more goes in than these tokens."""

    def __init__(self, prices: Any) -> None:
        tiers = (tier for price in vars(prices).values() for tier in getattr(price, "tiers", ()))
        self._prices = prices
        self._starts = sorted({tier.start for tier in tiers})
        self._rates: dict[int, _Rates] = {}

    def microcents(self, input_tokens: int, output_tokens: int, cached: int, written: int) -> int:
        fresh = input_tokens - cached - written
        if fresh < 0:  # there is a word of its own for what is wrong with that
            return ceil(self._told(input_tokens, output_tokens, cached, written))
        tier = bisect_left(self._starts, input_tokens)
        rates = self._rates.get(tier) or self._learn(tier)
        steps = (
            rates.call
            + rates.fresh * fresh
            + rates.cached * cached
            + rates.written * written
            + rates.output * output_tokens
        )
        return -(-steps // rates.steps)

    def _learn(self, tier: int) -> _Rates:
        least = self._starts[tier - 1] + 1 if tier else 1
        told = self._told(least)
        fresh = self._told(least + 1) - told
        exact = {
            "call": told - fresh * least,
            "fresh": fresh,
            "cached": self._told(least, cached=1) - told + fresh,
            "written": self._told(least, written=1) - told + fresh,
            "output": self._told(least, 1) - told,
        }
        steps = lcm(*(rate.denominator for rate in exact.values()))
        whole = {name: int(rate * steps) for name, rate in exact.items()}
        rates = self._rates[tier] = _Rates(**whole, steps=steps)
        return rates

    def _told(
        self, input_tokens: int, output_tokens: int = 0, cached: int = 0, written: int = 0
    ) -> Fraction:
        from genai_prices import Usage  # noqa: PLC0415 - only when a price is asked for

        counted = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        if cached:
            counted["cache_read_tokens"] = cached
        if written:
            counted["cache_write_tokens"] = written
        total: Decimal = self._prices.calc_price(Usage(**counted))["total_price"]
        return Fraction(total) * MICROCENTS_PER_USD


class BundledPrice:
    """What one model costs, at any time."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._tariffs: dict[int, _Tariff] = {}  # by the id of prices that the model keeps

    def microcents(
        self, input_tokens: int, output_tokens: int, cached: int, written: int, at: datetime
    ) -> int:
        """What a call costs, rounded up. Tokens from and for the cache are part of the input."""
        return self._tariff(at).microcents(input_tokens, output_tokens, cached, written)

    def most(self, input_tokens: int, output_tokens: int, at: datetime) -> int:
        """The most a call can cost: nothing of its input is from a cache, or all goes into one."""
        tariff = self._tariff(at)
        return max(
            tariff.microcents(input_tokens, output_tokens, 0, 0),
            tariff.microcents(input_tokens, output_tokens, 0, input_tokens),
        )

    def _tariff(self, at: datetime) -> _Tariff:
        prices = self._model.get_prices(at)
        tariff = self._tariffs.get(id(prices))
        if tariff is None:
            tariff = self._tariffs[id(prices)] = _Tariff(prices)
        return tariff


@lru_cache(maxsize=1_024)
def bundled_price(model: str, provider: str | None) -> BundledPrice | None:
    """The price of the model that a name means, or None. Names may carry the provider in front."""
    try:
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 1.6 MB of prices
    except ImportError:  # the extra `prices` is not installed; only the caller's own prices count
        return None
    snapshot = get_snapshot()
    for name, owner in _readings(model, provider):
        try:
            return BundledPrice(snapshot.find_provider_model(name, None, owner, None)[1])
        except LookupError:
            continue
    return None


def _readings(model: str, provider: str | None) -> list[tuple[str, str | None]]:
    readings = [(model, provider)]
    for separator in ("/", ":"):
        prefix, found, rest = model.partition(separator)
        if found and rest:
            readings += [(rest, prefix), (rest, provider)]
    return [*readings, (model, None), *((rest, None) for rest, _ in readings[1:])]
