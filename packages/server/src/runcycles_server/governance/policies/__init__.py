"""Policies: what the actions of a scope may be, and how often."""
