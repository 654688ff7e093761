"""Budgets and permissions for CrewAI crews and flows, asked before each model and tool call."""

from runcycles_crewai.crews import CrewGuard, cycles_crew
from runcycles_crewai.refusals import RunStopped
from runcycles_crewai.tools import guard_tool

__all__ = ["CrewGuard", "RunStopped", "cycles_crew", "guard_tool"]
