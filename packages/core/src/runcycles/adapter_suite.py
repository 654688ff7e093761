"""What every framework adapter must prove: a denied call never happens, and nothing stays open.

An adapter brings one thing, an `Engine`: how its framework runs a team of agents on a model at
some URL, guarded. The suite brings the team's script, real HTTP, an authority that refuses the
k-th question, and the sums that must come out:

- every request that reached the model, and every tool that ran, was reserved before;
- nothing ran after the refusal that was not reserved before it;
- what was reserved is settled.

Write an adapter for another framework against this, and run `check` for every cell.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, Protocol, TypeVar

from runcycles.clients import AsyncCyclesClient, CyclesClient
from runcycles.default_client import AnyClient
from runcycles.errors import BudgetExceededError, CyclesError, ErrorCode, Problem, ReasonCode
from runcycles.ops import Allowed, Commit, Op, Record, Release, Reserve
from runcycles.testing.authority import InMemoryAuthority
from runcycles.testing.model_server import ModelRequest, ModelServer, Reply, ToolCall
from runcycles.transports import AsyncTransport, Transport
from runcycles.types import Amount, DenyDetail, usd

R = TypeVar("R")

MODEL: Final = "gpt-4o-mini"
"""The model that the team asks; it has a price."""
HELPER: Final = "helper"
"""The word in the instructions of the second agent by which the script knows it."""
TOOLS: Final = ("look_up", "take_note")
"""The tools that the lead calls in parallel; the helper calls the first."""


class Toolbox:
    """The bodies of the team's tools. They count what really ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self._lock = Lock()

    def look_up(self, query: str) -> str:
        """Look something up."""
        return self._run("look_up", f"found {query}")

    def take_note(self, text: str) -> str:
        """Write something down."""
        return self._run("take_note", f"noted {text}")

    def _run(self, name: str, result: str) -> str:
        with self._lock:
            self.ran.append(name)
        return result


class Watched:
    """An authority that refuses one question, and counts what it allowed and what was settled.

    `deny_at` counts live reservations from 1; None refuses nothing. After the refusal everything
    is allowed again, so that a call which ignored it would be seen.
    """

    def __init__(self, deny_at: int | None = None, budget: Amount | None = None) -> None:
        self._inner = InMemoryAuthority(budgets={"tenant:acme": budget or usd(100)})
        self._deny_at = deny_at
        self._lock = Lock()
        self.asked: list[Reserve] = []
        self.denied: Reserve | None = None
        self.allowed: list[Reserve] = []
        self.settled: set[str] = set()
        self.open: set[str] = set()
        self.recorded: list[Record] = []

    @property
    def tenant(self) -> str:
        """Who spends."""
        return self._inner.tenant

    @property
    def spent(self) -> int:
        """What was charged so far, in the unit of the budget."""
        return sum(account.spent for account in self._inner.accounts())

    def transport(self) -> Transport:
        """For sync clients."""
        return _SyncWatch(self)

    def async_transport(self) -> AsyncTransport:
        """For async clients."""
        return _AsyncWatch(self)

    def send(self, op: Op[R]) -> R:
        """Answer, refuse the one question, and keep count."""
        if isinstance(op, Reserve) and not op.dry_run:
            self._count(op)
        answer = self._inner.send(op)
        with self._lock:
            if isinstance(op, Reserve) and isinstance(answer, Allowed) and answer.reservation_id:
                self.allowed.append(op)
                self.open.add(answer.reservation_id)
            elif isinstance(op, Commit | Release):
                self.open.discard(op.reservation_id)
                self.settled.add(op.reservation_id)
            elif isinstance(op, Record):
                self.recorded.append(op)
        return answer

    def _count(self, op: Reserve) -> None:
        with self._lock:
            self.asked.append(op)
            if len(self.asked) != self._deny_at:
                return
            self.denied = op
        raise _refusal(op)


def _refusal(op: Reserve) -> BudgetExceededError:
    reason = ReasonCode.BUDGET_EXCEEDED
    return BudgetExceededError(
        Problem(
            status=409,
            error_code=ErrorCode.BUDGET_EXCEEDED,
            reason_code=reason,
            message=f"{op.action.name} is the question that this trial refuses",
            details={"requested": op.estimate.amount},
            deny_detail=DenyDetail(
                reason_code=reason, blocked_by_scope="tenant:acme", budget_remaining=0
            ),
        )
    )


@dataclass(frozen=True, slots=True)
class _SyncWatch:
    watched: Watched

    def send(self, op: Op[R]) -> R:
        return self.watched.send(op)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class _AsyncWatch:
    watched: Watched

    async def send(self, op: Op[R]) -> R:
        return self.watched.send(op)

    async def aclose(self) -> None:
        """Nothing is open."""


class Engine(Protocol):
    """How a framework runs the team.

    The lead has both tools of the toolbox and reaches the helper by `scenario`: "tools" (no
    helper), "sub_agent" (the helper as a tool called `ask_helper`), "handoff" (the framework's own
    way of passing the work on, where it has one), "stream" (no helper, the answer streamed).
    """

    @property
    def version(self) -> str:
        """The framework and its version, e.g. `langchain 1.4.7`."""
        ...

    def run(
        self, scenario: str, mode: str, *, url: str, client: AnyClient, toolbox: Toolbox
    ) -> str:
        """Run the guarded team to its end in a mode ("sync" or "async"), and return its answer.

        Raises:
            CyclesError: the refusal, as the adapter's user sees it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """What the lead and the helper say; `passes_on` are names by which the helper is reached."""

    passes_on: tuple[str, ...] = ()
    arguments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __call__(self, request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        """The lead calls both tools at once, then the helper, then answers; so does the helper."""
        helping = HELPER in request.system
        offered = set(request.tools)
        done = sum(len(message.tool_calls) for message in request.messages)
        if helping:
            wanted = ["look_up"] if done == 0 or self._was_passed_on(request) else []
        elif done == 0:
            wanted = [*TOOLS]
        else:
            wanted = [name for name in self.passes_on if name in offered][: int(done == len(TOOLS))]
        calls = tuple(
            ToolCall(name=name, arguments=dict(self._arguments(name)))
            for name in wanted
            if name in offered
        )
        return Reply(tool_calls=calls) if calls else Reply(text="helped" if helping else "done")

    def _arguments(self, name: str) -> Mapping[str, Any]:
        known = {"look_up": {"query": "price"}, "take_note": {"text": "price"}}
        return self.arguments.get(name) or known.get(name) or {"input": "the price"}

    def _was_passed_on(self, request: ModelRequest) -> bool:
        """Whether the helper took over a conversation and has not called its tool in it yet."""
        called = [call.name for message in request.messages for call in message.tool_calls]
        return bool(called) and called[-1] in self.passes_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of the matrix: `position` is the question that is refused, 0 for none."""

    scenario: str
    mode: str
    position: int

    def __str__(self) -> str:
        return f"{self.scenario}-{self.mode}-{self.position or 'all allowed'}"


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened in one cell."""

    watched: Watched
    requests: int
    toolbox: Toolbox
    error: BaseException | None


def cells(expected: Mapping[tuple[str, str], int]) -> list[Cell]:
    """The matrix of an adapter: for each scenario and mode, how many questions a full run asks."""
    return [
        Cell(scenario=scenario, mode=mode, position=position)
        for (scenario, mode), questions in expected.items()
        for position in range(questions + 1)
    ]


def attempt(engine: Engine, cell: Cell, team: Team) -> Trial:
    """Run one cell against a model server of its own."""
    watched, toolbox = Watched(cell.position or None), Toolbox()
    client: AnyClient = (
        AsyncCyclesClient(authority=watched)
        if cell.mode == "async"
        else CyclesClient(authority=watched)
    )
    error: BaseException | None = None
    with ModelServer(team) as server:
        try:
            engine.run(
                cell.scenario, cell.mode, url=server.url("team"), client=client, toolbox=toolbox
            )
        except Exception as problem:  # noqa: BLE001 - what reaches the user is what is judged
            error = problem
        requests = server.meter("team").requests
    return Trial(watched, requests, toolbox, error)


def check(
    engine: Engine, cell: Cell, team: Team, *, questions: int, tolerates: Iterable[str] = ()
) -> None:
    """Run a cell and assert everything the suite promises.

    `questions` is how many a full run asks. A refusal of a tool in `tolerates` is told to the
    model instead of ending the run.

    Raises:
        AssertionError: naming the cell and the sum that is wrong.
    """
    trial = attempt(engine, cell, team)
    watched, where = trial.watched, f"{engine.version}, {cell}"
    models = sum(op.action.kind == "llm.completion" for op in watched.allowed)
    tools = sorted(op.action.name for op in watched.allowed if op.action.kind != "llm.completion")
    assert trial.requests == models, (
        f"{where}: {trial.requests} requests reached the model, {models} were reserved"
    )
    ran = sorted(trial.toolbox.ran)
    assert _within(ran, tools), f"{where}: the tools {ran} ran, {tools} were reserved"
    assert not watched.open, f"{where}: {len(watched.open)} reservations were never settled"
    if not cell.position:
        assert trial.error is None, f"{where}: nothing was refused, yet {trial.error!r}"
        assert len(watched.asked) == questions, (
            f"{where}: a full run asked {len(watched.asked)} questions, {questions} are expected"
        )
        return
    assert watched.denied is not None, f"{where}: only {len(watched.asked)} questions were asked"
    if watched.denied.action.name in set(tolerates):
        return
    assert isinstance(trial.error, CyclesError), f"{where}: the refusal became {trial.error!r}"
    later = [op.action.kind for op in watched.asked[cell.position :]]
    assert "llm.completion" not in later, f"{where}: a model was asked after the refusal"


def _within(ran: list[str], reserved: list[str]) -> bool:
    """Whether every run has a reservation of its own; a reserved sibling may not have started."""
    left = list(reserved)
    for name in ran:
        if name not in left:
            return False
        left.remove(name)
    return True
