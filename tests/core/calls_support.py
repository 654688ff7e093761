"""What tests of guarded calls share: a budget, calls on it, and answers that change."""

from typing import Any, TypeVar

from runcycles import CyclesClient
from runcycles.calls import CallGuards, ModelRequest
from runcycles.errors import (
    CyclesTransportError,
)
from runcycles.ops import Allowed, Op, Reserve
from runcycles.pricing import ModelUsage
from runcycles.testing import InMemoryAuthority
from runcycles.transports import AsyncTransport, Transport
from runcycles.types import Amount, Caps, Verdict

R = TypeVar("R")
SHORT = ModelUsage(input_tokens=60, output_tokens=100)
ASKED = ModelRequest(model="gpt-4o", input_tokens=100)


def authority_with(budget: Amount) -> InMemoryAuthority:
    return InMemoryAuthority(budgets={"tenant:acme": budget})


def calls_on(authority: Any, **options: Any) -> CallGuards:
    return CallGuards(CyclesClient(authority=authority), **options)


class Answering:
    """A real authority whose answers are changed on their way."""

    def __init__(self, inner: InMemoryAuthority, caps: Caps | None = None) -> None:
        self.inner = inner
        self.caps = caps
        self.is_down = False
        self.tenant = inner.tenant

    def transport(self) -> Transport:
        return self

    def async_transport(self) -> AsyncTransport:
        raise NotImplementedError

    def send(self, op: Op[R]) -> R:
        if self.is_down:
            raise CyclesTransportError("nobody answers")
        answer: Any = self.inner.send(op)
        if isinstance(op, Reserve) and self.caps is not None and isinstance(answer, Allowed):
            answer = Allowed(
                decision=Verdict.ALLOW_WITH_CAPS,
                reservation_id=answer.reservation_id,
                remaining_ttl_ms=answer.remaining_ttl_ms,
                caps=self.caps,
            )
        result: R = answer
        return result

    def close(self) -> None:
        """Nothing is open."""


class AnsweredError(Exception):
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code
