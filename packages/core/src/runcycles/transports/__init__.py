"""How questions travel. `runcycles.transports.http` is loaded by the first client that needs it."""

from runcycles.transports.base import SENDING, AsyncTransport, LocalAuthority, Sending, Transport

__all__ = ["AsyncTransport", "LocalAuthority", "SENDING", "Sending", "Transport"]
