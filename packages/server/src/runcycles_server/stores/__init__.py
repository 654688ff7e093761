"""Where an authority keeps its records; `base` is the contract, one module a store."""

from runcycles_server.stores.base import Store
from runcycles_server.stores.opening import open_store
from runcycles_server.stores.queries import AuditQuery, CounterQuery, ReservationQuery, Window

__all__ = ["AuditQuery", "CounterQuery", "ReservationQuery", "Store", "Window", "open_store"]
