"""Budgets and permissions for LangChain and LangGraph agents, asked before each model and tool call."""
