"""What the guard's tests share: a budget of 1,000 tokens, and clients that ask about it."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from runcycles import Action, AsyncCyclesClient, CyclesClient, CyclesConfig, Spend, Usage, tokens
from runcycles.ops import Op
from runcycles.testing import InMemoryAuthority
from tests.core.unreliable import Fault, Unreliable

ACTION = Action(kind="llm.completion", name="gpt-4o")
CALL: Any = {"action": ACTION, "estimate": tokens(100)}
"""What most of the guards here ask for."""

Faults = Mapping[type[Op[Any]], Sequence[Fault]]


class Line:
    """An authority with a budget, how it fails, and both kinds of client of it.

    Retries come without a wait, as a test has no time.
    """

    def __init__(self, faults: Faults | None = None, **settings: Any) -> None:
        self.authority = InMemoryAuthority(budgets={"tenant:acme": tokens(1_000)})
        self.unreliable = Unreliable(self.authority, faults or {})
        config = CyclesConfig(base_url="embedded:", retry_initial_delay=0, **settings)
        self.client = CyclesClient(config, authority=self.unreliable)
        self.async_client = AsyncCyclesClient(config, authority=self.unreliable)

    @property
    def spent(self) -> int:
        return self.authority.account("tenant:acme").spent

    @property
    def reserved(self) -> int:
        return self.authority.account("tenant:acme").reserved

    def asked(self) -> list[str]:
        """The questions that were asked, in order."""
        return [type(op).__name__ for op in self.unreliable.asked]


class ModelError(Exception):
    """What a model call may raise."""


def fail_after(
    spend: Spend, used: Usage | int, error: type[BaseException] = ModelError
) -> NoReturn:
    """Use something, then fail."""
    spend.record(used)
    raise error
