"""Moments on the operator's side of the wire: ISO 8601 in UTC, milliseconds inside."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def iso(moment_ms: int) -> str:
    """Epoch ms as text: `2025-01-31T12:00:00.000Z`."""
    moment = _EPOCH + moment_ms * _MS
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def iso_or_none(moment_ms: int | None) -> str | None:
    """Epoch ms as text, where there is a moment."""
    return None if moment_ms is None else iso(moment_ms)


def epoch_ms(moment: datetime) -> int:
    """A moment with a zone as epoch ms."""
    return (moment - _EPOCH) // _MS
