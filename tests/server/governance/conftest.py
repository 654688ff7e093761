"""The operator's tests share the server of the HTTP tests, and their own tenants."""

from collections.abc import Iterator

import httpx
import pytest

from tests.server.http.conftest import acme, server
from tests.support.served import Served

__all__ = ["acme", "server"]


@pytest.fixture
def admin(server: Served) -> Iterator[httpx.Client]:
    """The operator's client."""
    with server.admin() as client:
        yield client
