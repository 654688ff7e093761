"""Amounts as people type them: `5usd`, `$0.01`, `500tokens`, `1000000uc`.

A budget that was misread is worse than none, so nothing is guessed: the unit is always said, zero
is not an amount to allow, and what a shell leaves of an unquoted `$1.00` is recognised.
"""

import re
from typing import Final

from runcycles.errors import ConfigurationError
from runcycles.types import INT64_MAX, Amount, Unit, usd

FORMS: Final = "5usd, $0.01, 500tokens, 20credits, 10points or 1000000uc (microcents)"

_AMOUNT: Final = re.compile(
    r"(?P<dollar>\$)?(?P<number>[0-9]{1,40}(?:\.[0-9]{1,40})?) ?(?P<unit>[a-z]+)?"
)
_EATEN_BY_SHELL: Final = re.compile(r"\.[0-9]+|")
_COUNTED: Final = {
    "uc": Unit.USD_MICROCENTS,
    "token": Unit.TOKENS,
    "tokens": Unit.TOKENS,
    "credit": Unit.CREDITS,
    "credits": Unit.CREDITS,
    "point": Unit.RISK_POINTS,
    "points": Unit.RISK_POINTS,
}


def parse_amount(text: str, *, or_nothing: bool = False) -> Amount:
    """The amount in a text; zero only `or_nothing`.

    Raises:
        ConfigurationError: with the sentence that helps.
    """
    given = text.strip().lower()
    if _EATEN_BY_SHELL.fullmatch(given):
        raise ConfigurationError(
            f"{text!r} is no amount; did the shell take $1 for a variable? "
            "Quote it ('$1.00') or write 1.00usd"
        )
    found = _AMOUNT.fullmatch(given)
    if found is None:
        raise ConfigurationError(f"{text!r} is no amount; write {FORMS}")
    number, unit = found["number"], found["unit"]
    if found["dollar"]:
        if unit not in (None, "usd"):
            raise ConfigurationError(f"{text!r} names two units; write {FORMS}")
        unit = "usd"
    if unit is None:
        raise ConfigurationError(
            f"{text!r} does not say of what; write e.g. {number}usd or {number}tokens"
        )
    amount = _dollars(number) if unit == "usd" else _counted(text, number, unit)
    return amount if or_nothing else _not_nothing(text, amount)


def _dollars(number: str) -> Amount:
    try:
        return usd(number)
    except ValueError as problem:
        raise ConfigurationError(str(problem)) from None


def _counted(text: str, number: str, unit: str) -> Amount:
    if unit not in _COUNTED:
        raise ConfigurationError(f"{text!r} names the unit {unit!r}; write {FORMS}")
    if not number.isdigit():
        raise ConfigurationError(f"{text!r} is not a whole number of {unit}")
    if int(number) > INT64_MAX:
        raise ConfigurationError(f"{text!r} is more than can be counted ({INT64_MAX:,})")
    return Amount(unit=_COUNTED[unit], amount=int(number))


def _not_nothing(text: str, amount: Amount) -> Amount:
    if amount.amount == 0:
        raise ConfigurationError(f"{text!r} would allow nothing; give an amount above zero")
    return amount
