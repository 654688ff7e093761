"""Budgets and permissions for LangChain and LangGraph, asked before each model and tool call."""

from runcycles_langchain.callbacks import CyclesCallbackHandler
from runcycles_langchain.guards import guard_model, guard_tools
from runcycles_langchain.middleware import CyclesMiddleware
from runcycles_langchain.refusals import RunStopped

__all__ = ["CyclesCallbackHandler", "CyclesMiddleware", "RunStopped", "guard_model", "guard_tools"]
