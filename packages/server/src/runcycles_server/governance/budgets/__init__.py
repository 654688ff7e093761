"""Budgets: what a scope may spend of one unit."""
