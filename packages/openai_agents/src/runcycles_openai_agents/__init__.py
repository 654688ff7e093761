"""Budgets and permissions for the OpenAI Agents SDK, asked before each model and tool call."""

from runcycles_openai_agents.agents import guard
from runcycles_openai_agents.hooks import CyclesRunHooks
from runcycles_openai_agents.models import CyclesModel, CyclesModelProvider
from runcycles_openai_agents.refusals import RunStopped

__all__ = ["CyclesModel", "CyclesModelProvider", "CyclesRunHooks", "RunStopped", "guard"]
