"""The windows in which quotas count: which one a moment lies in, and when the next one begins.

All but `per_run` are cut by the UTC clock. The calendar is worked out here, since the ledger may
not reach for a clock, nor for a module that has one.
"""

from functools import lru_cache
from typing import Final

from runcycles.types import QuotaWindow

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

_LENGTHS_MS: Final = {
    QuotaWindow.PER_MINUTE: MINUTE_MS,
    QuotaWindow.PER_HOUR: HOUR_MS,
    QuotaWindow.PER_DAY: DAY_MS,
    QuotaWindow.PER_TENANT_PER_DAY: DAY_MS,
}
_LETTERS: Final = {MINUTE_MS: 16, HOUR_MS: 13, DAY_MS: 10}
"""How much of `2026-04-09T14:32` names a window of this length."""

PER_RUN_KEPT_MS: Final = DAY_MS
"""How long the counter of a run is kept after it counted, unless its quota says otherwise."""
_KEPT_MS: Final = {
    QuotaWindow.PER_RUN: PER_RUN_KEPT_MS,
    QuotaWindow.PER_MINUTE: 2 * MINUTE_MS,
    QuotaWindow.PER_HOUR: HOUR_MS + MINUTE_MS,
    QuotaWindow.PER_DAY: DAY_MS + HOUR_MS,
    QuotaWindow.PER_TENANT_PER_DAY: DAY_MS + HOUR_MS,
}


def bucket_of(window: QuotaWindow, now_ms: int) -> str:
    """The window of the clock that this moment lies in: `2026-04-09T14` is an hour."""
    return minute_of(now_ms)[: letters_of(window)]


def letters_of(window: QuotaWindow) -> int:
    """How much of a minute's name tells this window of the clock from others; 0 for a run."""
    return 0 if window is QuotaWindow.PER_RUN else _LETTERS[_LENGTHS_MS[window]]


def next_begins_ms(window: QuotaWindow, now_ms: int) -> int:
    """The moment at which the next window of the clock begins."""
    length_ms = _LENGTHS_MS[window]
    return (now_ms // length_ms + 1) * length_ms


def kept_ms(window: QuotaWindow) -> int:
    """How long a counter is kept after it counted; always beyond its window."""
    return _KEPT_MS[window]


def minute_of(moment_ms: int) -> str:
    """A moment to the minute, in UTC: `2026-04-09T14:32`."""
    return _minute(moment_ms // MINUTE_MS)


@lru_cache(maxsize=16)
def _minute(minutes: int) -> str:
    """Kept, because for a minute everybody asks for the same one."""
    days, minute = divmod(minutes, DAY_MS // MINUTE_MS)
    return f"{_date(days)}T{minute // 60:02}:{minute % 60:02}"


def _date(days: int) -> str:
    """The Gregorian date so many days after 1970-01-01.

    Years are counted from March, so that the leap day is the last of its year, and in eras of 400,
    each of which has 146,097 days.
    """
    era, day_of_era = divmod(days + 719_468, 146_097)
    leaps = day_of_era // 1_460 - day_of_era // 36_524 + day_of_era // 146_096
    year_of_era = (day_of_era - leaps) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    months = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * months + 2) // 5 + 1
    month = (months + 2) % 12 + 1
    year = 400 * era + year_of_era + (month <= 2)  # noqa: PLR2004 - January and February
    return f"{year:04}-{month:02}-{day:02}"
