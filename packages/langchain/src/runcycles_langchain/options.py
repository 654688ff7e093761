"""What the entry points of this adapter have in common."""

from collections.abc import Mapping
from typing import Any, Final


class _Mark(str):
    __slots__ = ()


MARK: Final = {"cycles": _Mark("guarded")}
"""Metadata that tells callbacks of a call that it asks by itself; no equal text passes for it."""


def is_marked(metadata: Mapping[str, Any] | None) -> bool:
    """Whether a call asks by itself."""
    return (metadata or {}).get("cycles") is MARK["cycles"]
