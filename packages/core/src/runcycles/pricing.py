"""Prices of models: raw usage → an exact amount in µ¢, rounded up.

The bundled prices come from `genai-prices` (extra `runcycles[prices]`): offline, imported on
first use, with tiers and dates. Your own prices, a dict, win over them. A model nobody can price
is never free: the call is refused, or costs the amount you chose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import cache
from typing import Any, Final, Literal

from runcycles.errors import ConfigurationError, UnknownPriceError
from runcycles.types import INT64_MAX, MICROCENTS_PER_USD, Amount, Unit

PER_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage:
    """Tokens of one model call. `input_tokens` includes cached ones, `output_tokens` reasoning."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """Your own price of a model, in US dollars per million tokens, as text to keep it exact.

    Raises:
        ConfigurationError: for what is not a price.
    """

    input: Decimal | str
    output: Decimal | str
    cached_input: Decimal | str | None = None

    def __post_init__(self) -> None:
        for price in (self.input, self.output, self.cached_input or 0):
            try:
                is_price = 0 <= Decimal(price) < PER_MILLION
            except (InvalidOperation, TypeError, ValueError):
                is_price = False
            if isinstance(price, float) or not is_price:
                raise ConfigurationError(
                    f"{price!r} is not a price in dollars per million tokens; write e.g. '0.15'"
                )

    def dollars(self, usage: ModelUsage) -> Decimal:
        """What a call costs, in dollars."""
        cached = self.input if self.cached_input is None else self.cached_input
        fresh = usage.input_tokens - usage.cached_tokens
        total = (
            Decimal(self.input) * fresh
            + Decimal(cached) * usage.cached_tokens
            + Decimal(self.output) * usage.output_tokens
        )
        return total / PER_MILLION


class PriceBook:
    """Turns usage into money and bounds what a call can cost.

    `prices` are your own, by model name; they win over the bundled ones. `unknown_price` says what
    a call to a model without any price costs: "deny" refuses it before it runs.
    """

    def __init__(
        self,
        prices: Mapping[str, TokenPrice] | None = None,
        *,
        unknown_price: Amount | Literal["deny"] = "deny",
    ) -> None:
        if unknown_price != "deny" and unknown_price.unit is not Unit.USD_MICROCENTS:
            raise ConfigurationError("unknown_price must be an amount of dollars, e.g. usd('0.05')")
        self._own = dict(prices or {})
        self._unknown_price = unknown_price

    def cost(
        self,
        model: str,
        usage: ModelUsage,
        *,
        provider: str | None = None,
        at: datetime | None = None,
    ) -> Amount:
        """What a call cost, rounded up to whole µ¢.

        Raises:
            UnknownPriceError: nobody knows the model's price and `unknown_price` is "deny".
        """
        if (own := self._own.get(model)) is not None:
            return _microcents(own.dollars(usage))
        found = _bundled(model, provider)
        if found is None:
            return self._unknown(model)
        return _microcents(_dollars(found, usage, at or datetime.now(tz=UTC)))

    def bound(
        self, model: str, *, input_tokens: int, output_tokens: int, provider: str | None = None
    ) -> Amount:
        """The most a call can cost: nothing of its input comes from a cache.

        Raises:
            UnknownPriceError: as `cost`.
        """
        plain = ModelUsage(input_tokens=input_tokens, output_tokens=output_tokens)
        most = self.cost(model, plain, provider=provider)
        found = None if model in self._own else _bundled(model, provider)
        if found is None or not _charges_more_for_writing_the_cache(model, provider):
            return most
        written = ModelUsage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_write_tokens=input_tokens,
        )
        return max(most, self.cost(model, written, provider=provider), key=lambda it: it.amount)

    def output_within(
        self,
        model: str,
        *,
        input_tokens: int,
        most: int,
        budget: int,
        provider: str | None = None,
    ) -> int:
        """The largest output limit up to `most` tokens whose bound fits a budget in µ¢; 0 if none.

        Lets a call that set no limit of its own run shorter instead of being refused.
        """
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            bound = self.bound(
                model, input_tokens=input_tokens, output_tokens=middle, provider=provider
            )
            low, high = (middle, high) if bound.amount <= budget else (low, middle - 1)
        return low

    def _unknown(self, model: str) -> Amount:
        if self._unknown_price == "deny":
            raise UnknownPriceError(model)
        return self._unknown_price


def input_bound(*texts: str, messages: int = 1) -> int:
    """An upper bound of the tokens in a request: a token covers at least one UTF-8 byte.

    `messages` adds what providers add around each message. Images and audio are not bounded.
    """
    return (
        sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        + OVERHEAD_PER_MESSAGE * messages
    )


OVERHEAD_PER_MESSAGE: Final = 16
"""Tokens that a provider may add for roles and separators; published figures are below 8."""


def _microcents(dollars: Decimal) -> Amount:
    exact = (dollars * MICROCENTS_PER_USD).to_integral_value(rounding=ROUND_CEILING)
    return Amount(unit=Unit.USD_MICROCENTS, amount=min(int(exact), INT64_MAX))


@cache
def _bundled(model: str, provider: str | None) -> tuple[Any, Any] | None:
    """The provider and model that a name means, or None. Names may carry the provider in front."""
    try:
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 1.6 MB of prices
    except ImportError:  # the extra `prices` is not installed; only the caller's own prices count
        return None
    snapshot = get_snapshot()
    for name, owner in _readings(model, provider):
        try:
            return snapshot.find_provider_model(name, None, owner, None)
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


@cache
def _charges_more_for_writing_the_cache(model: str, provider: str | None) -> bool:
    found = _bundled(model, provider)
    now = datetime.now(tz=UTC)
    plain = ModelUsage(input_tokens=1_000, output_tokens=0)
    written = ModelUsage(input_tokens=1_000, output_tokens=0, cache_write_tokens=1_000)
    return found is not None and _dollars(found, written, now) > _dollars(found, plain, now)


def _dollars(found: tuple[Any, Any], usage: ModelUsage, at: datetime) -> Decimal:
    from genai_prices import Usage  # noqa: PLC0415 - only when a price is asked for

    provider, model = found
    counted: dict[str, int] = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.cached_tokens:
        counted["cache_read_tokens"] = usage.cached_tokens
    if usage.cache_write_tokens:
        counted["cache_write_tokens"] = usage.cache_write_tokens
    price = model.calc_price(Usage(**counted), provider, genai_request_timestamp=at)
    total: Decimal = price.total_price
    return total
