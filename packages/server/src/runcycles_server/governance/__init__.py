"""The operator's side: tenants, API keys and budgets."""
