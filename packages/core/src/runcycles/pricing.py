"""Prices of models: raw usage → an exact amount in µ¢, rounded up.

The bundled prices know tiers and dates (`runcycles.bundled_prices`). Your own prices, a dict, win
over them. A model nobody can price is never free: the call is refused, or costs the amount you
chose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Final, Literal

from runcycles.bundled_prices import bundled_price
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
            return _amount(_microcents(own.dollars(usage)))
        found = bundled_price(model, provider)
        if found is None:
            return self._unknown(model)
        microcents = found.microcents(
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            at or datetime.now(tz=UTC),
        )
        return _amount(microcents)

    def bound(
        self, model: str, *, input_tokens: int, output_tokens: int, provider: str | None = None
    ) -> Amount:
        """The most a call can cost: nothing of its input comes from a cache, or all goes into one.

        Raises:
            UnknownPriceError: as `cost`.
        """
        if (own := self._own.get(model)) is not None:
            most = ModelUsage(input_tokens=input_tokens, output_tokens=output_tokens)
            return _amount(_microcents(own.dollars(most)))
        found = bundled_price(model, provider)
        if found is None:
            return self._unknown(model)
        return _amount(found.most(input_tokens, output_tokens, datetime.now(tz=UTC)))

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


def _microcents(dollars: Decimal) -> int:
    return int((dollars * MICROCENTS_PER_USD).to_integral_value(rounding=ROUND_CEILING))


def _amount(microcents: int) -> Amount:
    return Amount(unit=Unit.USD_MICROCENTS, amount=min(microcents, INT64_MAX))
