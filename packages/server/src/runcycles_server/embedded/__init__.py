"""The whole authority inside the caller's process: the real rules, no server and no key."""

from runcycles_server.embedded.authority import EmbeddedAuthority
from runcycles_server.embedded.urls import open_embedded

__all__ = ["EmbeddedAuthority", "open_embedded"]
