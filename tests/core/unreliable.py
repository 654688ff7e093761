"""An authority whose answers get lost or turn into errors, as a list of faults says."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from runcycles.errors import CyclesTransportError, Problem
from runcycles.ops import Op
from runcycles.testing import InMemoryAuthority
from runcycles.wire import error_for

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer; `decided` says whether the question arrived all the same."""

    decided: bool


LOST_QUESTION = Lost(decided=False)
LOST_ANSWER = Lost(decided=True)


@dataclass(frozen=True, slots=True)
class Answered:
    """An error answer that the real rules would not have given."""

    status: int
    code: str
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Fine:
    """The real answer."""


Fault = Lost | Answered | Fine | Exception | Callable[[], None]
"""A callable is called, and then the real answer is given."""


@dataclass
class Unreliable:
    """The real rules behind a bad line: per kind of question, what happens to each in turn."""

    authority: InMemoryAuthority
    faults: Mapping[type[Op[Any]], Sequence[Fault]] = field(default_factory=dict)
    asked: list[Op[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._coming: dict[type[Op[Any]], list[Fault]] = defaultdict(list)
        for kind, faults in self.faults.items():
            self._coming[kind] = list(faults)

    @property
    def tenant(self) -> str:
        return self.authority.tenant

    def transport(self) -> "UnreliableTransport":
        return UnreliableTransport(self)

    def async_transport(self) -> "AsyncUnreliableTransport":
        return AsyncUnreliableTransport(self)

    def questions(self, kind: type[R]) -> list[R]:
        """What was asked of this kind, lost questions included."""
        return [op for op in self.asked if isinstance(op, kind)]

    def send(self, op: Op[R]) -> R:
        self.asked.append(op)
        coming = self._coming[type(op)]
        fault = coming.pop(0) if coming else Fine()
        match fault:
            case Lost(decided=decided):
                if decided:
                    self.authority.send(op)
                raise CyclesTransportError("the line is dead")
            case Answered(status=status, code=code, retry_after_ms=retry_after_ms):
                problem = Problem(
                    status=status, error_code=code, message="so", retry_after_ms=retry_after_ms
                )
                raise error_for(op, problem)
            case Exception():
                raise fault
            case Fine():
                return self.authority.send(op)
            case _:
                fault()
                return self.authority.send(op)


@dataclass(frozen=True, slots=True)
class UnreliableTransport:
    line: Unreliable

    def send(self, op: Op[R]) -> R:
        return self.line.send(op)

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class AsyncUnreliableTransport:
    line: Unreliable

    async def send(self, op: Op[R]) -> R:
        return self.line.send(op)

    async def aclose(self) -> None:
        pass
