"""An authority that takes its time over some questions, so that a test can cancel meanwhile."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio

from runcycles import AsyncCyclesClient, CyclesConfig, tokens
from runcycles.ops import Op
from runcycles.testing import InMemoryAuthority
from runcycles.transports import Transport

R = TypeVar("R")


@dataclass
class SlowLine:
    """Awaits `during[kind]` while a question of that kind is under way.

    The question reaches the authority before the wait, its answer comes after it. A question of
    a kind in `refuse` gets that error instead.
    """

    during: dict[type[Op[Any]], Callable[[], Awaitable[Any]]] = field(default_factory=dict)
    settle_timeout: float = 30.0
    refuse: dict[type[Op[Any]], Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.authority = InMemoryAuthority(budgets={"tenant:acme": tokens(1_000)})
        self.asked: list[str] = []
        config = CyclesConfig(base_url="embedded:", settle_timeout=self.settle_timeout)
        self.client = AsyncCyclesClient(config, authority=self)

    @property
    def tenant(self) -> str:
        return self.authority.tenant

    @property
    def spent(self) -> int:
        return self.authority.account("tenant:acme").spent

    @property
    def reserved(self) -> int:
        return self.authority.account("tenant:acme").reserved

    def transport(self) -> Transport:
        return self.authority.transport()

    def async_transport(self) -> "SlowTransport":
        return SlowTransport(self)


@dataclass(frozen=True, slots=True)
class SlowTransport:
    line: SlowLine

    async def send(self, op: Op[R]) -> R:
        self.line.asked.append(type(op).__name__)
        if error := self.line.refuse.get(type(op)):
            raise error
        answer = self.line.authority.send(op)
        await anyio.lowlevel.checkpoint()
        if wait := self.line.during.pop(type(op), None):
            await wait()
        return answer

    async def aclose(self) -> None:
        """Nothing is open."""
