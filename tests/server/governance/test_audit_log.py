"""The audit log: who did what, found by every filter and in every order of the protocol."""

from typing import Any

import pytest

from runcycles.ids import new_id
from runcycles_server.governance.moments import iso
from runcycles_server.records import AuditEntry
from tests.server.governance.audit_log import PATH, logs
from tests.support.served import Served

NOON_MS = 1_900_000_000_000
TRACE = "ab" * 16


@pytest.fixture
def tenant(server: Served) -> str:
    """Whose log it is: three entries at 0, 1 and 2 s after noon."""
    tenant = f"logged-{new_id()[-8:]}"
    kept: list[dict[str, Any]] = [
        {"operation": "createBudget", "status": 201, "resource_type": "budget", "key_id": "key_b"},
        {
            "operation": "POST:/v1/admin/budgets",
            "status": 409,
            "error_code": "DUPLICATE_RESOURCE",
            "request_id": f"req-{tenant}",
        },
        {
            "operation": "fundBudget",
            "status": 200,
            "resource_type": "budget",
            "resource_id": f"Scope-{tenant}:TOKENS",
            "key_id": "key_a",
            "trace_id": TRACE,
            "details": {"actor_type": "api_key", "reason": "more"},
        },
    ]
    for number, said in enumerate(kept):
        entry = AuditEntry(
            log_id=f"log_{tenant}_{number}",
            at_ms=NOON_MS + number * 1_000,
            tenant_id=tenant,
            **said,
        )
        server.put(entry)
    return tenant


def found(server: Served, tenant: str, **query: Any) -> list[int]:
    """The numbers of the tenant's entries that match, in their order."""
    rows = logs(server, tenant_id=tenant, **query)
    return [int(row["log_id"].rpartition("_")[2]) for row in rows]


def test_an_entry_has_exactly_the_protocols_keys(server: Served, tenant: str) -> None:
    newest = logs(server, tenant_id=tenant)[0]
    assert newest == {
        "log_id": f"log_{tenant}_2",
        "timestamp": iso(NOON_MS + 2_000),
        "tenant_id": tenant,
        "key_id": "key_a",
        "operation": "fundBudget",
        "resource_type": "budget",
        "resource_id": f"Scope-{tenant}:TOKENS",
        "trace_id": TRACE,
        "status": 200,
        "metadata": {"actor_type": "api_key", "reason": "more"},
    }


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [2, 1, 0]),
        ({"operation": "fundBudget"}, [2]),
        ({"operation": "fundBudget, createBudget,,nonsense"}, [2, 0]),
        ({"operation": "FUNDBUDGET"}, []),
        ({"resource_type": "budget"}, [2, 0]),
        ({"error_code": "DUPLICATE_RESOURCE"}, [1]),
        ({"error_code_exclude": "DUPLICATE_RESOURCE"}, [2, 0]),
        ({"error_code_exclude": "OTHER"}, [2, 1, 0]),
        ({"status": 409}, [1]),
        ({"status_min": 201}, [1, 0]),
        ({"status_min": 201, "status_max": 201}, [0]),
        ({"key_id": "key_a"}, [2]),
        ({"trace_id": TRACE}, [2]),
        ({"from": iso(NOON_MS + 1_000)}, [2, 1]),
        ({"to": iso(NOON_MS + 1_000)}, [1, 0]),
        ({"from": iso(NOON_MS + 1), "to": iso(NOON_MS + 1_999)}, [1]),
        ({"from": iso(NOON_MS).replace("Z", "+00:00")}, [2, 1, 0]),
        ({"search": " duplicate "}, [1]),
        ({"search": "scope-"}, [2]),
        ({"search": "fundb"}, [2]),
        ({"sort_dir": "asc"}, [0, 1, 2]),
        ({"sort_by": "status", "sort_dir": "asc"}, [2, 0, 1]),
        ({"sort_by": "operation", "sort_dir": "asc"}, [1, 0, 2]),
        ({"sort_by": "key_id", "sort_dir": "asc"}, [1, 2, 0]),
        ({"sort_by": "resource_type", "sort_dir": "desc"}, [0, 2, 1]),
        ({"sort_by": "tenant_id"}, [0, 1, 2]),
        ({"operation": "fundBudget", "status": 409}, []),
        ({"unheard_of": "x"}, [2, 1, 0]),
    ],
)
def test_entries_are_found_and_ordered(
    server: Served, tenant: str, query: dict[str, Any], numbers: list[int]
) -> None:
    assert found(server, tenant, **query) == numbers


def test_entries_are_found_by_request_and_by_resource(server: Served, tenant: str) -> None:
    assert found(server, tenant, request_id=f"req-{tenant}") == [1]
    assert found(server, tenant, resource_id=f"Scope-{tenant}:TOKENS") == [2]
    assert found(server, tenant, resource_id=f"scope-{tenant}") == []


@pytest.mark.parametrize("sort_by", ["timestamp", "status", "key_id", "tenant_id"])
@pytest.mark.parametrize("sort_dir", ["asc", "desc"])
def test_pages_together_are_the_whole_list(
    server: Served, tenant: str, sort_by: str, sort_dir: str
) -> None:
    query: dict[str, Any] = {"tenant_id": tenant, "sort_by": sort_by, "sort_dir": sort_dir}
    whole = [row["log_id"] for row in logs(server, **query)]
    with server.admin() as admin:
        first = admin.get(PATH, params={**query, "limit": 2}).json()
        rest = admin.get(PATH, params={**query, "limit": 2, "cursor": first["next_cursor"]}).json()
    assert [row["log_id"] for row in first["logs"] + rest["logs"]] == whole
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert "next_cursor" not in rest


def test_a_full_last_page_says_that_there_is_no_more(server: Served, tenant: str) -> None:
    with server.admin() as admin:
        page = admin.get(PATH, params={"tenant_id": tenant, "limit": 3}).json()
    assert (len(page["logs"]), page["has_more"]) == (3, False)


@pytest.mark.parametrize("changed", [{"sort_by": "status"}, {"sort_dir": "asc"}, {"status": 200}])
def test_a_cursor_works_only_for_the_list_it_came_from(
    server: Served, tenant: str, changed: dict[str, Any]
) -> None:
    query: dict[str, Any] = {"tenant_id": tenant, "limit": 1}
    with server.admin() as admin:
        cursor = admin.get(PATH, params=query).json()["next_cursor"]
        answer = admin.get(PATH, params={**query, **changed, "cursor": cursor})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert "cursor" in answer.json()["message"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"sort_by": "colour"}, "sort_by"),
        ({"sort_dir": "up"}, "sort_dir"),
        ({"status": "99"}, "status"),
        ({"status": "many"}, "status"),
        ({"status_max": "600"}, "status_max"),
        ({"status_min": "400", "status_max": "399"}, "status_min"),
        ({"status": "400", "status_min": "400"}, "status"),
        ({"from": "yesterday"}, "from"),
        ({"from": "1900000000"}, "from"),
        ({"to": "2030-01-31T12:00:00"}, "to"),
        ({"from": "2030-01-32T12:00:00Z"}, "from"),
        ({"from": "2030-01-31T12:00:00Z", "to": "2030-01-31T11:59:59Z"}, "from"),
        ({"trace_id": "AB" * 16}, "trace_id"),
        ({"search": "x" * 129}, "search"),
        ({"operation": ",".join(f"o{number}" for number in range(26))}, "operation"),
        ({"resource_type": "x," * 26}, "resource_type"),
        ({"error_code": "x," * 26}, "error_code"),
        ({"error_code_exclude": "x," * 26}, "error_code_exclude"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"limit": "many"}, "limit"),
    ],
)
def test_a_wrong_query_is_400_and_names_the_parameter(
    server: Served, query: dict[str, str], named: str
) -> None:
    with server.admin() as admin:
        answer = admin.get(PATH, params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert f"{named}:" in answer.json()["message"]


def test_a_list_may_have_twenty_five_entries(server: Served, tenant: str) -> None:
    listed = ",".join(["fundBudget", *(f"o{number}" for number in range(24))])
    assert found(server, tenant, operation=listed) == [2]


@pytest.mark.parametrize("limit", ["0", "-5", "101", "100000"])
def test_a_page_size_out_of_range_is_brought_into_it(server: Served, limit: str) -> None:
    with server.admin() as admin:
        assert admin.get(PATH, params={"limit": limit}).status_code == 200


def test_the_sentinels_of_the_protocol_are_tenants_to_ask_for(server: Served) -> None:
    with server.client() as nobody:
        refused = nobody.get(PATH)
    with server.admin() as admin:
        missing = admin.get("/v1/admin/tenants/who-is-that")
    for answer, sentinel in ((refused, "__unauth__"), (missing, "__admin__")):
        request_id = answer.json()["request_id"]
        assert len(logs(server, tenant_id=sentinel, request_id=request_id)) == 1
