"""Kinds of actions: those of the registry, and an operator's own."""
