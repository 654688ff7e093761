"""What a check needs to find on the server: a throw-away tenant with budgets and keys, as data.

Whoever cannot offer the operator's API makes these by other means; `--plan` prints them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAIN: Final = "main"
"""The key that every stand has, with the permissions that a new key has by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A budget; `scope` is what follows `tenant:<id>`, empty for the root."""

    scope: str = ""
    unit: str = "TOKENS"
    allocated: int = 1_000
    overdraft_limit: int = 0
    frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A tenant with its budgets. `settings` are those of the tenant, `keys` further API keys."""

    budgets: tuple[Budget, ...] = (Budget(),)
    settings: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    with_stranger: bool = False
    """Whether a second tenant is needed, with a budget of its own."""


PLAIN: Final = Setup()
STRANGER: Final = Setup(with_stranger=True)
POOR: Final = Setup(budgets=())


def budgets(*given: Budget) -> Setup:
    """A tenant with these budgets."""
    return Setup(budgets=given)
