"""`guard(agent)`: everything an agent calls by itself asks first, and so do the agents behind it.

The agent becomes an instance of a subclass of its own class, because only the agent knows the tools
of its MCP servers, and because what is assigned to it later, or given to its clones, has to be
guarded as well.
"""

import logging
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, TypeVar, get_args

from agents import Agent, CustomTool, FunctionTool, Handoff, ModelProvider, RunContextWrapper, Tool

from runcycles import ConfigurationError
from runcycles.asked import Asked, calls_of
from runcycles.calls import CallGuards
from runcycles_openai_agents.models import CyclesModel
from runcycles_openai_agents.options import Refusal
from runcycles_openai_agents.tools import AsksFirst, guarded_tool, is_guarded

logger = logging.getLogger("runcycles.calls")
A = TypeVar("A", bound=Agent[Any])

UNSEEN: Final = frozenset({"ApplyPatchTool", "ComputerTool", "LocalShellTool", "ShellTool"})
"""Tools that this process runs and that only `CyclesRunHooks` can stop."""


def guard(
    agent: A,
    client_or_calls: Asked = None,
    *,
    refusal: Refusal = "stop",
    provider: ModelProvider | None = None,
    **options: Any,
) -> A:
    """Guard an agent in place, with all agents that it can reach; once, however often it is called.

    `provider` finds the models of agents that name theirs; the SDK's own where none is given.
    `options` are those of `runcycles.calls.CallGuards`.

    Raises:
        ConfigurationError: for a wrong option.
    """
    if refusal not in get_args(Refusal):
        raise ConfigurationError(f"refusal is {refusal!r}; choose one of stop, tell_model")
    _Guards(calls_of(client_or_calls, options), refusal, provider).install(agent)
    return agent


@dataclass(frozen=True, slots=True)
class _Guards:
    """One way of guarding, shared by all agents that a guarded agent reaches."""

    calls: CallGuards
    refusal: Refusal
    provider: ModelProvider | None

    def install(self, agent: Any) -> None:
        """Guard an agent unless it is guarded already."""
        if isinstance(agent, _Guarded):
            return
        agent.__class__ = _guarded_class(agent.__class__, self)
        for name in ("model", "tools", "handoffs"):
            setattr(agent, name, getattr(agent, name))

    def assigned(self, agent: Agent[Any], name: str, value: Any) -> Any:
        """What an agent is really given, where something is assigned to it."""
        match name:
            case "model" if isinstance(value, CyclesModel):
                return value.for_agent(agent.name)
            case "model":
                return CyclesModel(self.calls, value, agent=agent.name, provider=self.provider)
            case "tools":
                return [self.tool(agent, each) for each in value]
            case "handoffs":
                return [self.handoff(each) for each in value]
            case _:
                return value

    def tool(self, agent: Agent[Any], tool: Tool) -> Tool:
        """A tool that asks; hosted ones run elsewhere, and are left as they are."""
        if is_guarded(tool):
            return tool
        if isinstance(inner := getattr(tool, "_agent_instance", None), Agent):
            self.install(inner)
        if isinstance(tool, FunctionTool | CustomTool):
            return guarded_tool(tool, self.calls, self.refusal, agent.name)
        if type(tool).__name__ in UNSEEN:
            logger.warning("only CyclesRunHooks can guard %s of %s", tool.name, agent.name)
        return tool

    def handoff(self, target: Agent[Any] | Handoff[Any, Any]) -> Agent[Any] | Handoff[Any, Any]:
        """A handoff whose agent is guarded, at the latest when the work is handed to it."""
        if isinstance(known := (getattr(target, "_agent_ref", None) or (lambda: target))(), Agent):
            self.install(known)
        if isinstance(target, Agent) or isinstance(target.on_invoke_handoff, AsksFirst):
            return target
        passed = copy(target)
        passed.on_invoke_handoff = AsksFirst(_hand_over, self, target.on_invoke_handoff)
        return passed


async def _hand_over(guards: _Guards, invoke: Any, *given: Any) -> Any:
    return guards.handoff(await invoke(*given))


class _Guarded(Agent[Any]):
    _cycles: ClassVar[_Guards]

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, self._cycles.assigned(self, name, value))

    def __post_init__(self) -> None:
        settings = self.model_settings  # of a clone; the SDK adjusts what it does not recognize
        super().__post_init__()  # type: ignore[no-untyped-call]  # the SDK's has no annotations
        self.model_settings = settings

    async def get_all_tools(self, run_context: RunContextWrapper[Any]) -> list[Tool]:
        """The tools of MCP servers, and what was appended later, ask as well."""
        self.handoffs[:] = map(self._cycles.handoff, self.handoffs)
        tools = await super().get_all_tools(run_context)
        return [self._cycles.tool(self, each) for each in tools]


@lru_cache(maxsize=256)
def _guarded_class(kind: Any, guards: _Guards) -> Any:
    return type(kind.__name__, (_Guarded, kind), {"_cycles": guards, "__module__": kind.__module__})
