"""How a framework's names become the protocol's: tools as actions, agents as scopes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from runcycles.actions import UNMAPPED
from runcycles.types import Amount, PolicyKeys

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAction:
    """How a tool is named, where it belongs, and what one call is estimated and charged.

    `policy_keys` say what every call of it touches, for the quotas that look at it.
    """

    kind: str = UNMAPPED
    toolset: str | None = None
    estimate: Amount | None = None
    policy_keys: PolicyKeys | None = None


def cycles_action(
    kind: str,
    *,
    toolset: str | None = None,
    estimate: Amount | None = None,
    policy_keys: PolicyKeys | None = None,
) -> Callable[[F], F]:
    """Say on a tool's function what the action is: `@cycles_action("message.email.send")`."""
    action = ToolAction(kind=kind, toolset=toolset, estimate=estimate, policy_keys=policy_keys)

    def mark(function: F) -> F:
        function.__cycles_action__ = action  # type: ignore[attr-defined]  # a mark of ours
        return function

    return mark


def action_on(*functions: object) -> ToolAction | None:
    """The mark that `cycles_action` left on the first of these that has one."""
    for function in functions:
        found = getattr(function, "__cycles_action__", None)
        if isinstance(found, ToolAction):
            return found
    return None


def scope_name(name: str | None) -> str | None:
    """A framework's free name as a scope value: what the protocol does not allow becomes `-`."""
    if not name:
        return None
    cleaned = "".join(
        each if each.isascii() and (each.isalnum() or each in "_.-") else "-" for each in name
    )
    return cleaned[:128]
