"""When the store or the server itself fails: the client learns that, and nothing else."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runcycles.errors import StoreBusyError
from runcycles.ledger.state import Key
from runcycles_server.authority import Authority
from runcycles_server.governance.operator import Operator
from runcycles_server.http import routes, serving
from runcycles_server.http.app import App
from runcycles_server.http.auth import Gate
from runcycles_server.http.endpoint import Access, Endpoint, Plane, Service
from runcycles_server.http.exchange import Answer, Exchange
from runcycles_server.stores.memory import MemoryStore
from runcycles_server.stores.opening import wall_clock_ms
from tests.support.served import Served, served

SECRET = "the password of the database"


class FailingStore(MemoryStore):
    """A store that can be told to fail."""

    failing = False

    async def get(self, key: Key) -> Any:
        """The record, or the failure."""
        if self.failing:
            raise StoreBusyError(SECRET)
        return await super().get(key)

    async def check(self) -> None:
        """Whether it fails."""
        if self.failing:
            raise StoreBusyError(SECRET)


async def stumble(_service: Service, _exchange: Exchange) -> Answer:
    raise RuntimeError(SECRET)


STUMBLING = Endpoint(
    operation="stumble",
    summary="Has a defect",
    method="GET",
    path="/stumble",
    plane=Plane.SERVER,
    access=Access.PUBLIC,
    permission=None,
    handler=stumble,
)


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(wall_clock_ms)


@pytest.fixture
def server(store: FailingStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(serving, "open_store", lambda _url, **_: store)
    monkeypatch.setattr(serving, "ENDPOINTS", (*routes.ENDPOINTS, STUMBLING))
    with served() as running:
        yield running


def assert_says_nothing(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]) == (500, "INTERNAL_ERROR")
    assert SECRET not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_key_that_cannot_be_looked_up_is_no_wrong_key(
    server: Served, store: FailingStore, caplog: pytest.LogCaptureFixture
) -> None:
    with server.client_of(server.tenant()) as client:
        store.failing = True
        answer = client.get("/v1/balances", params={"agent": "a"})
        assert_says_nothing(answer)
        store.failing = False
        assert client.get("/v1/balances", params={"agent": "a"}).status_code == 200
    assert answer.json()["request_id"] in caplog.text
    assert SECRET in caplog.text


def test_a_store_that_fails_is_alive_but_not_ready(server: Served, store: FailingStore) -> None:
    store.failing = True
    with server.client() as client:
        assert client.get("/healthz").status_code == 200
        assert_says_nothing(client.get("/readyz"))


def test_a_defect_is_500_and_its_request_id_finds_the_traceback(
    server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with httpx.Client(base_url=server.base_url) as client, caplog.at_level(logging.ERROR):
        answer = client.get("/stumble")
    assert_says_nothing(answer)
    assert "RuntimeError" in caplog.text
    assert answer.json()["request_id"] in caplog.text


def test_without_an_admin_key_the_operators_endpoints_are_shut(
    store: FailingStore,
) -> None:
    app = App(routes.ENDPOINTS, Service(Authority(store), Operator(store)), Gate(store))
    transport = httpx.ASGITransport(app)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://cycles") as client:
            return await client.get("/v1/admin/tenants", headers={"X-Admin-API-Key": "any"})

    assert_says_nothing(asyncio.run(ask()))
