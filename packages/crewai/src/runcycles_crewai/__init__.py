"""Budgets and permissions for CrewAI crews and flows, asked before each model and tool call."""
