"""What a lane has been told to do: everything an engine needs to build the agent."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from runcycles import Amount, Unit
from runcycles.pricing import PriceBook, TokenPrice
from runcycles_demos.runaway.agent import MODEL, Steps
from runcycles_demos.runaway.watch import Watch

# The table that the model server calls "tokens": $5 a million in, $25 a million out.
TOKEN_PRICE = TokenPrice("5", "25")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Where the model is, what it costs, and whether every call has to ask first."""

    model_url: str
    guarded: bool
    price: int  # of a call, in microcents, unless its tokens are counted
    by_tokens: bool

    @property
    def prices(self) -> PriceBook:
        """The model's price, as a guard that looks it up by the model's name is told it."""
        if self.by_tokens:
            return PriceBook({MODEL: TOKEN_PRICE})
        return PriceBook(unknown_price=Amount(unit=Unit.USD_MICROCENTS, amount=self.price))


Build = Callable[[Job, Watch], AbstractContextManager[Steps]]
"""What the module of each engine has under the name `bot`."""
