"""What is said about emergency stops over the wire."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import MaxLen, MinLen

from runcycles.types import CLOSED
from runcycles_server.governance.fields import Iso, ScopeText


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCreate:
    """What to stop, and why: `*`, or a tenant or another scope with all below it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    target: ScopeText
    reason: Annotated[str, MinLen(1), MaxLen(512)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopView:
    """One stop that holds, or was just lifted."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    stop_id: str
    target: str
    reason: str
    stopped_by: str
    stopped_at: Iso


@dataclass(frozen=True, slots=True, kw_only=True)
class StopList:
    """Every stop that holds now, the oldest first."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    stops: tuple[StopView, ...]
