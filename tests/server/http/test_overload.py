"""More than the server can do, or lets strangers do, is put off at once, with word until when."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runcycles_server.stores.sqlite import store as sqlite_store
from runcycles_server.stores.sqlite import writers
from tests.server.http.conftest import Acme
from tests.support.served import Served, served


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Acme]:
    """A tenant on a server of its own, with a store that others may have to wait for."""
    with served(f"sqlite:///{tmp_path / 'cycles.db'}") as server:
        tenant = server.tenant()
        with server.client_of(tenant) as client:
            yield Acme(tenant, client, server)


def assert_is_put_off(answer: httpx.Response, *, within_s: int = 1) -> None:
    assert (answer.status_code, answer.json()["error"]) == (429, "LIMIT_EXCEEDED")
    assert 1 <= int(answer.headers["retry-after"]) <= within_s
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert 0 <= int(answer.headers["x-ratelimit-reset"]) - time.time() <= within_s + 1


def test_what_would_wait_too_long_for_the_disk_is_put_off_and_changes_nothing(
    on_disk: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = on_disk.ledger()
    with monkeypatch.context() as patch:
        patch.setattr(writers, "MAX_WAITING", 0)
        assert_is_put_off(on_disk.reserve("put off"))
    assert on_disk.ledger() == before
    assert on_disk.reserve("put off").status_code == 200


def test_lists_beyond_those_that_wait_are_put_off_and_decisions_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "MAX_LISTS", 0)
    with served(f"sqlite:///{tmp_path / 'cycles.db'}") as server:
        tenant = server.tenant()
        with server.client_of(tenant) as client:
            assert_is_put_off(client.get("/v1/reservations"))
            assert Acme(tenant, client, server).reserve().status_code == 200
        with server.admin() as admin:
            assert_is_put_off(admin.get("/v1/admin/tenants"))
        assert server.run(server.store.due(1)) == []


@pytest.fixture
def strict() -> Iterator[Served]:
    """A server that lets an address ask for the registry twice a minute."""
    with served(registry_pace=2) as server:
        yield server


def test_an_address_may_ask_for_the_registry_so_often(strict: Served) -> None:
    with strict.client() as stranger:
        assert stranger.get("/v1/action-kinds").status_code == 200
        assert stranger.get("/v1/action-kinds/no.such.kind").status_code == 404
        for path in ("/v1/action-kinds", "/v1/action-kinds/tool.call"):
            assert_is_put_off(stranger.get(path), within_s=30)
        assert stranger.get("/healthz").status_code == 200


def test_asking_whether_a_copy_is_right_is_free(strict: Served) -> None:
    with strict.client() as stranger:
        tag = stranger.get("/v1/action-kinds").headers["etag"]
        for _ in range(5):
            answer = stranger.get("/v1/action-kinds", headers={"If-None-Match": tag})
            assert answer.status_code == 304
        assert stranger.get("/v1/action-kinds").status_code == 200
        assert_is_put_off(stranger.get("/v1/action-kinds"), within_s=30)


def test_whoever_has_no_limit_asks_on(server: Served) -> None:
    with server.client() as stranger:
        tag = stranger.get("/v1/action-kinds").headers["etag"]
        known = {"If-None-Match": tag}
        assert stranger.get("/v1/action-kinds", headers=known).status_code == 304
