"""What is said about decisions over the wire."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from annotated_types import MaxLen, MinLen

from runcycles.types import CLOSED, Action, Amount, Caps, Subject, Verdict
from runcycles_server.decisions.facts import Asked
from runcycles_server.governance.fields import Iso


class Finding(StrEnum):
    """How a step of a decision ended."""

    PASSED = "pass"
    FAILED = "fail"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One check of a decision, with the values that it saw."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    name: str
    outcome: Finding
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What the same question would be answered now, and what would allow it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    decision: Verdict
    reason_code: str | None = None
    message: str | None = None
    what_would_allow_it: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedDecision:
    """One decision, step by step in the order of evaluation.

    `repeats` says how often the same was denied again in the same second; `request_ids` are those
    of the first few. `observed` says that the answer was only told and blocked nothing.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    decision_id: str
    decided_at: Iso
    tenant_id: str
    asked: Asked
    decision: Verdict
    reason_code: str | None = None
    message: str | None = None
    observed: bool
    repeats: int
    subject: Subject
    action: Action
    estimate: Amount
    caps: Caps | None = None
    reservation_id: str | None = None
    request_ids: tuple[str, ...]
    trace_id: str
    idempotency_key: str
    steps: tuple[Step, ...]
    now: Now


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Every decision that an id has to do with, the newest first."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    id: str
    decisions: tuple[ExplainedDecision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainQuery:
    """The id of a reservation, a request or a trace, or an idempotency key."""

    id: Annotated[str, MinLen(1), MaxLen(256)]
