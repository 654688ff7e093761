"""What the witnesses said when a scene was over: plain values, for the assertions to judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runcycles_demos.kit.meter import Bill
from runcycles_demos.runaway.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call that the guard did not let through, as the agent's process met it."""

    call: int
    http: int
    error: str
    scope: str | None = None
    request_id: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One lane: what the provider billed it, and what its own process counted."""

    bill: Bill
    started: int  # calls the agent wanted to make
    entered: int  # calls whose body was entered, counted inside the function
    answered: int  # calls that came back: the agent's own count
    seconds: float
    stopped_by: str  # "cutoff", "accepted" or an error code
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeBalance:
    """What the ledger says of one scope, in microcents."""

    scope: str
    allocated: int
    spent: int
    reserved: int
    remaining: int
    debt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the ledger says: its five scopes, and its reservations by status."""

    scopes: tuple[ScopeBalance, ...]
    reservations: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRefusal:
    """A refused reservation as the server's own access log holds it."""

    http: int
    error: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The refused reservation asked again under the same key, and whether that left a mark."""

    http: int
    error: str | None
    changed: bool  # any balance, reservation or bill differs from before


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A call that the ledger has settled: what was held for it, and what was charged."""

    estimate: int
    actual: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything the assertions of the race look at."""

    terms: Terms
    unguarded: Lane
    guarded: Lane
    ledger: Ledger
    logged: tuple[LoggedRefusal, ...] = field(default=())
    replay: Replay | None = None  # None: nothing was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a lane was told that asks without obeying, and what its ledger knows of it."""

    lane: Lane
    ledger: Ledger
    dry_runs: int  # questions asked
    recorded: int  # events that told what was spent
    would_refuse: tuple[int, ...]  # the calls to which the answer was no


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFacts:
    """Everything the assertions of the scene `shadow` look at."""

    terms: Terms
    unguarded: Lane
    observed: Asking
    dry_run: Asking


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensFacts:
    """Everything the assertions of the scene `tokens` look at."""

    terms: Terms
    guarded: Lane
    ledger: Ledger
    settled: tuple[Settled, ...]  # what the ledger says of each call, in the order of the calls
    released: tuple[int, ...]  # what each commit was told to have given back
    refused_estimate: int | None  # None: nothing was refused
