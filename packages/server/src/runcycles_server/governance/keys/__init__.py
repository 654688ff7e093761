"""API keys: who may ask in the name of a tenant."""
