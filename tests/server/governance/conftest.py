"""The operator's tests share the server of the HTTP tests, and their own tenants."""

from tests.server.http.conftest import acme, server

__all__ = ["acme", "server"]
