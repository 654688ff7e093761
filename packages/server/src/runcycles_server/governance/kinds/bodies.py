"""What is said about kinds of actions over the wire."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import MaxLen

from runcycles.actions import ActionKind
from runcycles.types import CLOSED, Kind, RiskClass
from runcycles_server.governance.fields import DEFAULT_PAGE_SIZE, SortDirection


@dataclass(frozen=True, slots=True, kw_only=True)
class KindQuery:
    """Which kinds of the registry, in its order; `deprecated` shows those too."""

    sort_by: ClassVar[str] = "number"
    sort_dir: ClassVar[SortDirection] = "asc"

    risk_class: RiskClass | None = None
    deprecated: bool = False
    limit: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KindPage:
    """Some kinds; ask again with `next_cursor` for more."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    version: str
    kinds: tuple[ActionKind, ...]
    next_cursor: str | None = None
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpec:
    """Which policy keys a kind has; of `resource_type` it says what type of resource is meant."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    host: bool | None = None
    recipient_domain: bool | None = None
    resource_type: Annotated[str, MaxLen(128)] | None = None
    path_prefix: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KindDeclare:
    """A kind of the operator's own, and what it can do to the world."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    kind: Kind
    risk_class: RiskClass
    description: Annotated[str, MaxLen(512)] | None = None
    policy_key_spec: KeySpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredKinds:
    """Every kind that was declared, by name."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    kinds: tuple[ActionKind, ...]
