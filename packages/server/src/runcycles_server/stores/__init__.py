"""Where an authority keeps its records; `base` is the contract, one module a store."""
