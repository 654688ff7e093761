"""A model with a script, an authority with a budget, and what was asked, answered and charged."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar, cast

from agents import Agent, OpenAIProvider

from runcycles import (
    Allowed,
    Amount,
    AsyncCyclesClient,
    Caps,
    CyclesConfig,
    InvalidRequestError,
    ReservationStatus,
    Verdict,
    usd,
)
from runcycles.adapter_suite import MODEL
from runcycles.errors import Problem
from runcycles.ledger.state import Reservation
from runcycles.ops import Commit, Op, Reserve
from runcycles.testing import InMemoryAuthority
from runcycles.testing.model_server import ModelServer, Replies, Reply, Script, ToolCall
from tests.adapters.openai_agents.engine import provider

RUN = "run"
ARGUMENTS = {"input": "it"}
R = TypeVar("R")


class Capping(InMemoryAuthority):
    """Attaches caps to every permission, counts what it is asked, and may refuse commits."""

    caps: Caps | None = None
    refuses_commits = False

    def __init__(self, budgets: Mapping[str, Amount]) -> None:
        super().__init__(budgets=budgets)
        self.asked: list[Reserve] = []

    def send(self, op: Op[R], *, tenant: str | None = None) -> R:
        if isinstance(op, Reserve):
            self.asked.append(op)
        if isinstance(op, Commit) and self.refuses_commits:
            raise InvalidRequestError(Problem(status=400, error_code="X", message="not this one"))
        answer = super().send(op, tenant=tenant)
        if self.caps is not None and isinstance(answer, Allowed):
            return cast(R, replace(answer, decision=Verdict.ALLOW_WITH_CAPS, caps=self.caps))
        return answer


class Stage:
    """What a test acts on, and looks at afterwards."""

    def __init__(self, server: ModelServer, authority: Capping, **config: Any) -> None:
        self._server = server
        self.authority = authority
        self.client = AsyncCyclesClient(
            CyclesConfig(base_url="embedded:", **config), authority=authority
        )

    @property
    def url(self) -> str:
        return self._server.url(RUN)

    @property
    def requests(self) -> int:
        """How many requests reached the model."""
        return self._server.meter(RUN).requests

    def models(self, **options: Any) -> OpenAIProvider:
        return provider(self.url, **options)

    def agent(self, name: str = "writer", **options: Any) -> Agent[Any]:
        return Agent(**{"name": name, "model": self.models().get_model(MODEL), **options})

    @property
    def reservations(self) -> list[Reservation]:
        return sorted(self.authority.reservations(), key=lambda each: each.reservation_id)

    def of(self, name: str) -> list[Reservation]:
        """The reservations of one model or tool."""
        return [each for each in self.reservations if each.action.name == name]

    def model_call(self) -> Reservation:
        """The only reservation of a model there is."""
        (only,) = self.of(MODEL)
        return only

    @property
    def spent(self) -> int:
        return sum(account.spent for account in self.authority.accounts())

    @property
    def is_settled(self) -> bool:
        """Whether nothing is held any more."""
        held = sum(account.reserved for account in self.authority.accounts())
        active = [r for r in self.reservations if r.status is ReservationStatus.ACTIVE]
        return held == 0 and active == []


def was_estimated(reservation: Reservation) -> bool:
    """Whether a reservation was charged its estimate, and says so."""
    marked = (reservation.committed_metadata or {}).get("actual_source") == "estimate"
    return marked and reservation.charged == reservation.estimate.amount


def was_released(reservation: Reservation) -> bool:
    return reservation.status is ReservationStatus.RELEASED


def calls(*names: str) -> Reply:
    """The model calls these tools, all at once."""
    return Reply(tool_calls=tuple(ToolCall(name=name, arguments=ARGUMENTS) for name in names))


@contextmanager
def stage(
    *replies: Reply | str,
    script: Script | None = None,
    faults: Sequence[str] = (),
    budget: Amount | None = None,
    chunk_ms: float = 0,
    caps: Caps | None = None,
    **config: Any,
) -> Iterator[Stage]:
    """A model that gives these replies, the last one for ever, and a budget of ten dollars."""
    script = Replies(replies or ("hello",), then="repeat") if script is None else script
    authority = Capping(budgets={"tenant:acme": budget or usd(10)})
    authority.caps = caps
    with ModelServer(script, faults=faults, chunk_ms=chunk_ms) as server:
        yield Stage(server, authority, **config)
