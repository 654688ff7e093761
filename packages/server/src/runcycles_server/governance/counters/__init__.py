"""The counters of policies' quotas: how often something was begun in a window."""
