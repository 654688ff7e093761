"""The SQLite store, the default: durable, fast on one machine, nothing to install."""

from runcycles_server.stores.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore"]
