"""Tenants, as an operator makes and finds them."""

from typing import Any

import pytest

from tests.support.served import Served

PATH = "/v1/admin/tenants"


def test_a_tenant_is_made_once_however_often_it_is_asked_for(server: Served) -> None:
    body = {"tenant_id": "made-once", "name": "Made Once", "metadata": {"team": "blue"}}
    with server.admin() as admin:
        first, again = admin.post(PATH, json=body), admin.post(PATH, json=body)
        read = admin.get(f"{PATH}/made-once")
    assert (first.status_code, again.status_code, read.status_code) == (201, 200, 200)
    assert first.json() == again.json() == read.json()
    assert first.json()["metadata"] == {"team": "blue"}


def test_an_id_that_is_taken_under_another_name_is_a_duplicate(server: Served) -> None:
    with server.admin() as admin:
        admin.post(PATH, json={"tenant_id": "taken", "name": "First"})
        answer = admin.post(PATH, json={"tenant_id": "taken", "name": "Second"})
    assert (answer.status_code, answer.json()["error"]) == (409, "DUPLICATE_RESOURCE")


def test_an_unknown_tenant_is_not_found(server: Served) -> None:
    with server.admin() as admin:
        answer = admin.get(f"{PATH}/nobody")
    assert (answer.status_code, answer.json()["error"]) == (404, "TENANT_NOT_FOUND")


def test_what_is_left_out_has_the_protocols_defaults(server: Served) -> None:
    with server.admin() as admin:
        made = admin.post(PATH, json={"tenant_id": "plain", "name": "Plain"}).json()
    made.pop("created_at")
    assert made == {
        "tenant_id": "plain",
        "name": "Plain",
        "status": "ACTIVE",
        "default_commit_overage_policy": "ALLOW_IF_AVAILABLE",
        "default_reservation_ttl_ms": 60_000,
        "max_reservation_ttl_ms": 3_600_000,
        "max_reservation_extensions": 10,
        "reservation_expiry_policy": "AUTO_RELEASE",
        "observe_mode": "ENFORCE",
    }


def test_a_tenants_defaults_shape_its_reservations(server: Served) -> None:
    tenant = server.tenant(default_reservation_ttl_ms=5_000, max_reservation_extensions=0)
    with server.client_of(tenant) as client:
        made = client.post(
            "/v1/reservations",
            json={
                "idempotency_key": "k",
                "subject": {"tenant": tenant},
                "action": {"kind": "a", "name": "b"},
                "estimate": {"unit": "TOKENS", "amount": 1},
            },
        ).json()
        path = f"/v1/reservations/{made['reservation_id']}/extend"
        extended = client.post(path, json={"idempotency_key": "k", "extend_by_ms": 1})
    assert made["remaining_ttl_ms"] == 5_000
    assert extended.json()["error"] == "MAX_EXTENSIONS_EXCEEDED"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"tenant_id": "ab", "name": "x"}, "tenant_id"),
        ({"tenant_id": "UPPER", "name": "x"}, "tenant_id"),
        ({"tenant_id": "under_score", "name": "x"}, "tenant_id"),
        ({"tenant_id": "x" * 65, "name": "x"}, "tenant_id"),
        ({"tenant_id": "good"}, "name"),
        ({"tenant_id": "good", "name": "x" * 257}, "name"),
        ({"tenant_id": "good", "name": "x", "status": "CLOSED"}, "status"),
        ({"tenant_id": "good", "name": "x", "default_reservation_ttl_ms": 1}, "ttl_ms"),
        ({"tenant_id": "good", "name": "x", "metadata": {"n": 1}}, "metadata"),
        ({"tenant_id": "good", "name": "x", "metadata": {f"{n}": "" for n in range(33)}}, "meta"),
    ],
)
def test_a_wrong_tenant_is_not_made(server: Served, body: dict[str, Any], named: str) -> None:
    with server.admin() as admin:
        answer = admin.post(PATH, json=body)
        assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
        assert named in answer.json()["message"]
        assert admin.get(f"{PATH}/good").status_code == 404


def test_tenants_are_found_ordered_and_paged(server: Served) -> None:
    with server.admin() as admin:
        for letter in "bca":
            body = {"tenant_id": f"paged-{letter}", "name": f"Paged {letter}"}
            admin.post(PATH, json={**body, "parent_tenant_id": "the-parent"})
        query: dict[str, Any] = {
            "search": "PAGED",
            "sort_by": "name",
            "sort_dir": "asc",
            "limit": 2,
        }
        first = admin.get(PATH, params=query).json()
        rest = admin.get(PATH, params={**query, "cursor": first["next_cursor"]}).json()
        children = admin.get(PATH, params={"parent_tenant_id": "the-parent"}).json()
        closed = admin.get(PATH, params={"search": "paged", "status": "CLOSED"}).json()
        newest = admin.get(PATH, params={"search": "paged"}).json()
    assert [row["tenant_id"] for row in first["tenants"]] == ["paged-a", "paged-b"]
    assert [row["tenant_id"] for row in rest["tenants"]] == ["paged-c"]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert len(children["tenants"]) == 3
    assert closed["tenants"] == []
    assert len(newest["tenants"]) == 3


@pytest.mark.parametrize(
    "query",
    [
        {"sort_by": "colour"},
        {"sort_dir": "up"},
        {"status": "LOST"},
        {"search": "x" * 129},
        {"cursor": "nonsense"},
        {"limit": "many"},
    ],
)
def test_a_wrong_list_is_400_and_names_the_parameter(server: Served, query: dict[str, str]) -> None:
    with server.admin() as admin:
        answer = admin.get(PATH, params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert next(iter(query)) in answer.json()["message"]


@pytest.mark.parametrize("limit", ["0", "-5", "101", "100000"])
def test_a_page_size_out_of_range_is_brought_into_it(server: Served, limit: str) -> None:
    with server.admin() as admin:
        assert admin.get(PATH, params={"limit": limit}).status_code == 200


def test_a_cursor_works_only_for_the_list_it_came_from(server: Served) -> None:
    with server.admin() as admin:
        for letter in "ab":
            body = {"tenant_id": f"bound-{letter}", "name": "Bound"}
            admin.post(PATH, json=body)
        first = admin.get(PATH, params={"search": "bound", "limit": 1}).json()
        query = {"search": "bound-a", "cursor": first["next_cursor"]}
        answer = admin.get(PATH, params=query)
    assert answer.status_code == 400
    assert "cursor" in answer.json()["message"]
