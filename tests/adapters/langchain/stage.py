"""A model with a script, an authority with a budget, and what was asked, answered and charged."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from langchain_openai import ChatOpenAI

from runcycles import (
    Allowed,
    Amount,
    AsyncTransport,
    Caps,
    CyclesClient,
    CyclesConfig,
    ReservationStatus,
    Transport,
    Verdict,
    usd,
)
from runcycles.adapter_suite import MODEL
from runcycles.ledger.state import Reservation
from runcycles.ops import Op, Reserve
from runcycles.testing import InMemoryAuthority
from runcycles.testing.model_server import ModelRequest, ModelServer, Replies, Reply, ToolCall
from tests.adapters.langchain.engine import scripted

R = TypeVar("R")
RUN = "run"
ROOT = "tenant:acme"
NOTHING = usd("0.00000001")


class Stage:
    """What a test acts on, and looks at afterwards."""

    def __init__(
        self, server: ModelServer, authority: InMemoryAuthority, bodies: list[Any], **config: Any
    ) -> None:
        self._server = server
        self.authority = authority
        self.bodies: list[Mapping[str, Any]] = bodies
        self.client = CyclesClient(
            CyclesConfig(base_url="embedded:", **config), authority=authority
        )

    @property
    def url(self) -> str:
        return self._server.url(RUN)

    @property
    def requests(self) -> int:
        """How many requests reached the model."""
        return self._server.meter(RUN).requests

    def model(self, **settings: Any) -> ChatOpenAI:
        """LangChain's own client, asking the scripted model."""
        return scripted(self.url, **settings)

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


def calls(*names: str, **arguments: Any) -> Reply:
    """The model calls these tools, all at once."""
    return Reply(tool_calls=tuple(ToolCall(name=name, arguments=arguments) for name in names))


def ask(agent: Any, question: Any = "go", **config: Any) -> Any:
    """Run an agent to its end; the messages it leaves."""
    asked = question if not isinstance(question, str) else {"messages": [("user", question)]}
    return agent.invoke(asked, config)["messages"]


@contextmanager
def stage(
    *replies: Reply | str,
    faults: Sequence[str] = (),
    budget: Amount | None = None,
    **config: Any,
) -> Iterator[Stage]:
    """A model that gives these replies, the last one for ever, and a budget of ten dollars."""
    bodies: list[Any] = []
    answers = Replies(replies or ("hello",), then="repeat")

    def script(request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        bodies.append(request.body)
        return answers(request, call, rng)

    authority = InMemoryAuthority(budgets={ROOT: budget or usd(10)})
    with ModelServer(script, faults=faults) as server:
        yield Stage(server, authority, bodies, **config)


class Capped:
    """The same authority, whose permissions come with limits."""

    def __init__(self, inner: InMemoryAuthority, caps: Caps) -> None:
        self._inner = inner
        self._caps = caps
        self.tenant = inner.tenant

    def transport(self) -> Transport:
        return self

    def async_transport(self) -> AsyncTransport:
        raise NotImplementedError

    def send(self, op: Op[R]) -> R:
        answer: Any = self._inner.send(op)
        if isinstance(op, Reserve) and isinstance(answer, Allowed):
            answer = replace(answer, decision=Verdict.ALLOW_WITH_CAPS, caps=self._caps)
        result: R = answer
        return result

    def close(self) -> None:
        """Nothing is open."""
