"""What a scene expects, and what its witnesses said: plain values, for the assertions to judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runcycles_demos.authority.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """How many rows of each kind changed."""

    notes: int = 0
    statuses: int = 0
    reviews: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A tool call that was not permitted, as the response to the guard's question says it."""

    tool: str
    http: int | None  # None: nobody answered
    code: str
    policy: str | None = None  # that denied it


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a scope was given, and what of it is gone."""

    allocated: int
    spent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a scene claims; e-mails and rows phase by phase, that is run by run."""

    emails: tuple[int, ...]
    rows: tuple[Rows, ...]
    refused: tuple[Refused, ...] = ()
    ledger: Mapping[str, Budget] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)  # of a quota, run by run
    actions: tuple[str, ...] = ()  # of the operator, while agents worked or between their runs
    ended: tuple[str, ...] = ("answer",)  # what each run ended with
    answered: bool = True  # whether what was refused was refused by an answer
    stops: bool = False  # whether everybody is stopped in this scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One tool call that the model wanted, and what became of it."""

    tool: str
    phase: int
    lane: str
    wanted_at: float
    asked: bool = False  # the authority
    allowed: bool = False
    http: int | None = None
    code: str | None = None
    policy: str | None = None
    asked_at: float = 0.0
    entered: int = 0  # how often the tool's body was entered
    told: str | None = None  # what the model was told of it; None: it was asked no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the server has kept of a refusal: the decision step by step, and the audit entry."""

    reason: str | None  # None: no decision is known under the id of the request
    failed_step: str | None
    audited: str | None  # the error code in the audit entry; None: there is no entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What the operator did, and what the audit log says of it."""

    action: str
    at: float
    reason: str
    actor: str | None = None  # None: there is no entry
    audited_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An effect in the world."""

    at: float
    phase: int
    kind: str
    case: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What two scenes are compared by: the agent's code, and the first thing it asked its model."""

    code: str
    first_question: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything the assertions look at."""

    terms: Terms
    expected: Expected
    turns: tuple[Turn, ...]
    ended: tuple[str, ...]  # what each run ended with, as its process says
    effects: tuple[Happened, ...]
    tables: Rows  # of the CRM, when all was over
    ledger: Mapping[str, Budget]
    counters: Mapping[str, int] = field(default_factory=dict)
    reserved: int = 0  # still held, in all scopes together
    active: int = 0  # reservations
    kept: tuple[Kept, ...] = ()  # of each refusal by an answer, in their order
    deeds: tuple[Deed, ...] = ()
    agent: Agent
    ungated: Agent | None = None  # of the scene without an authority, if that was run before

    @property
    def asked(self) -> tuple[Turn, ...]:
        """The turns of which the authority was asked."""
        return tuple(turn for turn in self.turns if turn.asked)

    @property
    def refused(self) -> tuple[Turn, ...]:
        """The turns that were not permitted, or of which nobody could be asked."""
        return tuple(turn for turn in self.asked if not turn.allowed)
