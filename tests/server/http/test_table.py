"""Every endpoint, one after the other: nobody passes without the right key and permission."""

import httpx
import pytest

from runcycles_server.governance.permissions import Permission, formerly, permits
from runcycles_server.http.endpoint import Access, Endpoint, Plane
from runcycles_server.http.routes import ENDPOINTS
from tests.support.served import Served

CLOSED = [row for row in ENDPOINTS if row.access is not Access.PUBLIC]
FOR_TENANTS = [row for row in CLOSED if row.access is not Access.ADMIN]
PERMITTED = [row for row in FOR_TENANTS if row.permission is not None]
FOR_OPERATORS = [row for row in CLOSED if row.access in (Access.ADMIN, Access.EITHER)]


def named(row: Endpoint) -> str:
    return row.operation


def ask(client: httpx.Client, row: Endpoint) -> httpx.Response:
    path = row.path.replace("{", "").replace("}", "")
    return client.request(row.method, path, json={} if row.body else None)


def test_every_operation_and_every_place_is_there_once() -> None:
    assert len({row.operation for row in ENDPOINTS}) == len(ENDPOINTS)
    assert len({(row.method, row.path) for row in ENDPOINTS}) == len(ENDPOINTS)


def test_every_endpoint_for_tenants_wants_a_permission_and_no_other_does() -> None:
    odd = [row.operation for row in ENDPOINTS if (row.permission is None) == (row in FOR_TENANTS)]
    assert odd == ["introspectAuth"]  # everybody may ask what their own key may do


@pytest.mark.parametrize("row", CLOSED, ids=named)
def test_without_a_key_nobody_passes(server: Served, row: Endpoint) -> None:
    with server.client() as client:
        answer = ask(client, row)
    assert (answer.status_code, answer.json()["error"]) == (401, "UNAUTHORIZED")
    assert "x-cycles-tenant" not in answer.headers


@pytest.mark.parametrize("row", FOR_TENANTS, ids=named)
@pytest.mark.parametrize("key", ["", "nonsense", "cyc_live_" + "A" * 43])
def test_with_a_wrong_key_nobody_passes(server: Served, row: Endpoint, key: str) -> None:
    with server.client(**{"X-Cycles-API-Key": key}) as client:
        assert ask(client, row).status_code == 401


@pytest.mark.parametrize("row", FOR_OPERATORS, ids=named)
def test_a_wrong_admin_key_is_not_excused_by_a_good_tenant_key(
    server: Served, row: Endpoint
) -> None:
    key = server.key_of(server.tenant(allocated=None))
    headers = {"X-Cycles-API-Key": key, "X-Admin-API-Key": "guessed"}
    with server.client(**headers) as client:
        assert ask(client, row).status_code == 401


@pytest.mark.parametrize("row", PERMITTED, ids=named)
def test_a_key_without_the_permission_is_refused(server: Served, row: Endpoint) -> None:
    wanted = row.permission
    assert wanted is not None
    others = [
        held for held in Permission if not (permits([held], wanted) or formerly([held], wanted))
    ]
    with server.client_of(server.tenant(allocated=None), permissions=others) as client:
        answer = ask(client, row)
    assert answer.status_code == 403
    assert answer.json()["error"] == (
        "FORBIDDEN" if row.plane is Plane.RUNTIME else "INSUFFICIENT_PERMISSIONS"
    )
    assert wanted in answer.json()["message"]


@pytest.mark.parametrize("row", PERMITTED, ids=named)
def test_a_key_with_just_the_permission_passes(server: Served, row: Endpoint) -> None:
    tenant = server.tenant(allocated=None)
    with server.client_of(tenant, permissions=[row.permission]) as client:
        answer = ask(client, row)
    assert answer.status_code not in (401, 403)
    assert answer.headers["x-cycles-tenant"] == tenant


@pytest.mark.parametrize("row", [row for row in CLOSED if row.access is Access.ADMIN], ids=named)
def test_no_tenant_key_opens_what_is_the_operators(server: Served, row: Endpoint) -> None:
    every = [str(permission) for permission in Permission]
    with server.client_of(server.tenant(allocated=None), permissions=every) as client:
        assert ask(client, row).status_code == 401


@pytest.mark.parametrize("row", FOR_OPERATORS, ids=named)
def test_the_admin_key_passes_without_any_permission(server: Served, row: Endpoint) -> None:
    with server.admin() as client:
        answer = ask(client, row)
    assert answer.status_code not in (401, 403)
    assert "x-cycles-tenant" not in answer.headers


@pytest.mark.parametrize("row", [row for row in CLOSED if row.access is Access.TENANT], ids=named)
def test_the_admin_key_is_ignored_where_it_means_nothing(server: Served, row: Endpoint) -> None:
    with server.admin() as client:
        assert ask(client, row).status_code == 401


@pytest.mark.parametrize("row", CLOSED, ids=named)
def test_what_got_past_the_key_says_that_it_is_not_throttled(server: Served, row: Endpoint) -> None:
    headers = {"X-Cycles-API-Key": server.key_of(server.tenant(allocated=None))}
    client = server.admin() if row.access is Access.ADMIN else server.client(**headers)
    with client:
        answer = ask(client, row)
    assert answer.headers["x-ratelimit-remaining"] == "-1"
    assert answer.headers["x-ratelimit-reset"] == "0"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/reservations/", "/v1/nope", "/V1/balances"])
def test_an_unknown_path_is_404_in_the_envelope(server: Served, path: str) -> None:
    with server.client() as client:
        answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_a_wrong_method_is_405_and_says_which_are_right(server: Served, method: str) -> None:
    with server.client() as client:
        answer = client.request(method, "/v1/reservations")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


def test_the_server_says_that_it_lives_and_takes_writes(server: Served) -> None:
    with server.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ok"}
