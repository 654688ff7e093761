"""Budgets and permissions for the OpenAI Agents SDK, asked before each model and tool call."""
