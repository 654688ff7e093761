"""Microcents as people read them."""

from runcycles.types import MICROCENTS_PER_USD

_CENT = MICROCENTS_PER_USD // 100


def dollars(microcents: int) -> str:
    """Write an amount with two decimals, or with as many as it takes to be exact."""
    sign, rest = ("−" if microcents < 0 else ""), abs(microcents)
    whole, part = divmod(rest, MICROCENTS_PER_USD)
    cents, finer = divmod(part, _CENT)
    tail = f"{finer:06d}".rstrip("0") if finer else ""
    return f"{sign}${whole:,}.{cents:02d}{tail}"
