"""The audit log: what operators did, and what was tried and refused."""
