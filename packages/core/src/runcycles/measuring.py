"""What a guarded call has used so far: amounts and raw usage, added up as they are recorded."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any, Final

from runcycles.settlement import Measured
from runcycles.types import INT64_MAX, Amount, Metadata, Unit, Usage

logger = logging.getLogger("runcycles")

INT32_MAX: Final = 2**31 - 1
MAX_VERSION_LENGTH: Final = 128

Price = Callable[[Usage], Amount | int | None]
"""How a usage becomes an amount; None where it costs nothing that can be told."""


class Meter:
    """Adds up what is recorded in one unit. Several threads may record at once."""

    __slots__ = ("_lock", "_price", "_total", "_unit", "_unreadable", "amount", "usage")

    def __init__(self, unit: Unit, price: Price | None = None) -> None:
        self._lock = Lock()
        self._unit = unit
        self._price = price
        self._total: int | None = None
        self._unreadable = False
        self.amount: int | None = None
        self.usage: Usage | None = None

    def record(self, *measured: Usage | Amount | int) -> None:
        """Add what one step used.

        An amount counts as it is. A usage is priced, unless an amount stands next to it.

        Raises:
            TypeError, ValueError: for what is neither, or cannot be. The call is then charged
                its estimate at least: something ran.
        """
        try:
            usage = [checked_usage(each) for each in measured if isinstance(each, Usage)]
            given = [self._count(each) for each in measured if not isinstance(each, Usage)]
        except (TypeError, ValueError):
            self._unreadable = True
            raise
        counts: list[int | None] = [*given] if given else [self._priced(each) for each in usage]
        with self._lock:
            for each in usage:
                self.usage = each if self.usage is None else added(self.usage, each)
            for count in counts:
                if count is not None:
                    self.amount = min((self.amount or 0) + count, INT64_MAX)

    def measure(self, read: Callable[[], Amount | int | None]) -> None:
        """Take the use of the whole call from `read`, in place of what was recorded."""
        try:
            found = read()
            self._total = None if found is None else self._count(found)
        except Exception:
            self._unreadable = True
            logger.warning(
                "what a call used could not be read; its estimate is charged", exc_info=True
            )

    @property
    def measured(self) -> Measured:
        """What is known so far."""
        if self._total is not None:
            return Measured(self._total)
        return Measured(self.amount, self._unreadable)

    def _count(self, value: Any) -> int:
        """An amount as a count of our unit."""
        if isinstance(value, Amount):
            if value.unit != self._unit:
                raise ValueError(f"this call is counted in {self._unit}, not in {value.unit}")
            value = value.amount
        if type(value) is not int:
            raise TypeError(f"{value!r} is not a Usage, an Amount or a whole number")
        if not 0 <= value <= INT64_MAX:
            raise ValueError(f"{value} is not an amount: it has to be from 0 to {INT64_MAX}")
        return value

    def _priced(self, usage: Usage) -> int | None:
        """The amount of a usage; where tokens have no price, we know only that something ran."""
        tokens = (usage.tokens_input or 0) + (usage.tokens_output or 0)
        if self._price is not None:
            try:
                price = self._price(usage)
                return None if price is None else self._count(price)
            except Exception:
                self._unreadable = True
                logger.warning(
                    "a usage could not be priced; the estimate is charged", exc_info=True
                )
                return None
        if self._unit is Unit.TOKENS and tokens:
            return tokens
        self._unreadable = self._unreadable or tokens > 0
        return None


def checked_usage(usage: Usage) -> Usage:
    """A usage that the protocol can carry; what is too large or too long is cut.

    Raises:
        TypeError, ValueError: for counts that are no whole numbers, or negative.
    """
    cut: dict[str, Any] = {}
    for name in ("tokens_input", "tokens_output", "latency_ms"):
        count = getattr(usage, name)
        if count is None:
            continue
        if type(count) is not int:
            raise TypeError(f"{name} is {count!r}, which is not a whole number")
        if count < 0:
            raise ValueError(f"{name} is {count}, below zero")
        if count > INT32_MAX:
            cut[name] = INT32_MAX
    version = usage.model_version
    if version is not None and (type(version) is not str or len(version) > MAX_VERSION_LENGTH):
        cut["model_version"] = _text(version)[:MAX_VERSION_LENGTH]
    return replace(usage, **cut) if cut else usage


def added(one: Usage, other: Usage) -> Usage:
    """Two usages as one: counts are added, and the later one names the model."""
    version = other.model_version or one.model_version
    return Usage(
        tokens_input=_sum(one.tokens_input, other.tokens_input),
        tokens_output=_sum(one.tokens_output, other.tokens_output),
        latency_ms=_sum(one.latency_ms, other.latency_ms),
        model_version=version,
        custom={**(one.custom or {}), **(other.custom or {})} or None,
    )


def _sum(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one + other, INT32_MAX)


def as_json(metadata: Metadata) -> Metadata:
    """The same, with what JSON cannot carry turned into text: it must not cost us the commit."""
    if _is_json(metadata):
        return metadata
    logger.warning("metadata that is not JSON is sent as text")
    return {
        _text(key): value if _is_json(value) else _text(value) for key, value in metadata.items()
    }


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _text(value: Any) -> str:
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:  # noqa: BLE001 - whatever its __str__ does
        return f"<{type(value).__name__}>"
