"""What an engine is told to do: everything it needs to build the agent and let it work once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runcycles.clients import CyclesClient
from runcycles.questions import OnAuthorityDown
from runcycles_demos.authority.actions import actions
from runcycles_demos.authority.agent import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of the agent. Without a client nobody is asked."""

    task: str
    run_id: str
    model_url: str
    tools: tuple[Tool, ...]
    client: CyclesClient | None
    prices: str
    on_authority_down: OnAuthorityDown

    @property
    def options(self) -> dict[str, Any]:
        """What all guards are told: what each tool is, and what to do if nobody answers."""
        return {"tools": actions(self.prices), "on_authority_down": self.on_authority_down}


Work = Callable[[Job], str]
"""What the module of each engine has under the name `work`: returns the agent's last words."""
