"""Amounts as people read them."""

from typing import Final

from runcycles.types import MICROCENTS_PER_USD, Amount, SignedAmount, Unit

_CENTS: Final = MICROCENTS_PER_USD // 100


def amount_words(amount: Amount | SignedAmount) -> str:
    """`$0.9993`, `1,000 tokens`: exact, dollars with at least their cents."""
    if amount.unit is not Unit.USD_MICROCENTS:
        return f"{amount.amount:,} {amount.unit.lower().replace('_', ' ')}"
    dollars, rest = divmod(abs(amount.amount), MICROCENTS_PER_USD)
    cents, finer = divmod(rest, _CENTS)
    sign = "-" if amount.amount < 0 else ""
    return f"{sign}${dollars:,}.{cents:02}{f'{finer:06}'.rstrip('0')}"
