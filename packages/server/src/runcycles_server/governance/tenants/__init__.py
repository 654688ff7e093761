"""Tenants: who spends under one roof."""
