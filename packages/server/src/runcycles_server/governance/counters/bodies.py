"""What is said about the counters of quotas over the wire."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

from annotated_types import MaxLen, MinLen

from runcycles.types import CLOSED, Kind, QuotaWindow, RiskClass
from runcycles_server.governance.fields import DEFAULT_PAGE_SIZE, Iso, Reason, ScopeText

RISK: Final = "__risk__"
"""In the place of a kind, in the protocol's words, where all kinds of a risk class are counted."""

Bucket = Annotated[str, MinLen(1), MaxLen(256)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterListQuery:
    """Which counters; `scope` is that one and all below it, `tenant_id` is for the admin key."""

    tenant_id: str | None = None
    scope: str | None = None
    action_kind: Kind | None = None
    window: QuotaWindow | None = None
    run_id: Bucket | None = None
    include_zero: bool = False
    limit: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterView:
    """How often something was begun in one window, and how often it may be."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    action_kind: str
    risk_class: RiskClass | None = None
    scope: str
    scope_path: str
    window: QuotaWindow
    window_key: str
    used: int
    limit: int
    remaining: int
    policy_id: str
    expires_at: Iso
    last_incremented_at: Iso


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterPage:
    """Some counters; ask again with `next_cursor` for more."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    counters: tuple[CounterView, ...]
    next_cursor: str | None = None
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterReset:
    """Which counter begins at nothing again, and why."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    tenant_id: str
    scope: ScopeText
    action_kind: Kind
    risk_class: RiskClass | None = None
    window: QuotaWindow
    window_key: Bucket
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterWasReset:
    """The counter now, and what it stood at before."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    counter: CounterView
    previous_used: int
