"""The published document says what the table says, and the tests' witness can complain."""

import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from runcycles_server.http.openapi import document
from runcycles_server.http.routes import ENDPOINTS
from tests.support import contract
from tests.support.served import Served

DOCUMENT = document(ENDPOINTS)


def every(found: Any, key: str) -> list[Any]:
    """Every value that stands under a key, however deep."""
    if isinstance(found, list):
        return [value for item in found for value in every(item, key)]
    if not isinstance(found, dict):
        return []
    own = [found[key]] if key in found else []
    return own + [value for item in found.values() for value in every(item, key)]


def test_the_server_publishes_the_document(server: Served) -> None:
    with server.client() as client:
        first, again = client.get("/openapi.json"), client.get("/openapi.json")
    assert first.json() == DOCUMENT
    assert first.content == again.content


def test_every_row_of_the_table_is_in_it() -> None:
    described = {
        (method.upper(), path): row["operationId"]
        for path, rows in DOCUMENT["paths"].items()
        for method, row in rows.items()
    }
    assert described == {(row.method, row.path): row.operation for row in ENDPOINTS}


def test_every_reference_leads_somewhere() -> None:
    for reference in every(DOCUMENT, "$ref"):
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_schema_is_one_and_none_allows_null() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert "null" not in every(DOCUMENT, "type")


@pytest.mark.parametrize(
    "name",
    [
        "ReservationCreateRequest",
        "ReservationCreateResponse",
        "DecisionRequest",
        "DecisionResponse",
        "CommitRequest",
        "CommitResponse",
        "ReleaseRequest",
        "ReleaseResponse",
        "ReservationExtendRequest",
        "ReservationExtendResponse",
        "EventCreateRequest",
        "EventCreateResponse",
        "BalanceResponse",
        "Balance",
        "Amount",
        "Tenant",
        "BudgetLedger",
        "ErrorResponse",
    ],
)
def test_the_protocols_objects_have_its_names_and_are_closed(name: str) -> None:
    assert DOCUMENT["components"]["schemas"][name]["additionalProperties"] is False


def test_parameters_are_named_as_they_stand_in_the_url() -> None:
    rows = DOCUMENT["paths"]["/v1/reservations"]["get"]["parameters"]
    named = {row["name"] for row in rows if row["in"] == "query"}
    assert {"from", "to", "expires_from", "status", "limit", "cursor"} <= named
    assert "created_from" not in named


def test_both_forms_of_the_balances_are_written_down() -> None:
    described = DOCUMENT["paths"]["/v1/balances"]["get"]
    named = [row["name"] for row in described["parameters"] if row["in"] == "query"]
    assert {"tenant", "toolset", "scope_prefix", "unit"} <= set(named)
    assert len(named) == len(set(named))
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    forms = [form["$ref"].rpartition("/")[2] for form in schema["anyOf"]]
    assert forms == ["BalanceResponse", "BudgetBalanceResponse"]


def test_a_body_that_may_be_left_out_is_not_required() -> None:
    freeze = DOCUMENT["paths"]["/v1/admin/budgets/freeze"]["post"]
    fund = DOCUMENT["paths"]["/v1/admin/budgets/fund"]["post"]
    assert (freeze["requestBody"]["required"], fund["requestBody"]["required"]) == (False, True)


def test_keys_and_permissions_are_written_down() -> None:
    paths = DOCUMENT["paths"]
    released = paths["/v1/reservations/{reservation_id}/release"]["post"]
    assert released["security"] == [{"ApiKeyAuth": []}, {"AdminKeyAuth": []}]
    assert "reservations:release" in released["description"]
    assert paths["/healthz"]["get"]["security"] == []


# ── the witness itself ──────────────────────────────────────────────────────────────────────────

IDS = {"x-request-id": "a" * 32, "x-cycles-trace-id": "b" * 32}
PROBLEM = {"message": "m", "request_id": "a" * 32, "trace_id": "b" * 32}


def answer(status: int, body: Any, path: str = "/healthz", **headers: str) -> httpx.Response:
    return httpx.Response(
        status,
        headers={"content-type": "application/json", **IDS, **headers},
        content=json.dumps(body),
        request=httpx.Request("GET", f"http://cycles{path}"),
    )


def test_an_answer_as_described_passes_the_witness() -> None:
    contract.check(answer(200, {"status": "ok"}))
    contract.check(answer(404, {"error": "NOT_FOUND", **PROBLEM}, path="/nowhere"))


ODD = {
    "another value": answer(200, {"status": "fine"}),
    "a member too many": answer(200, {"status": "ok", "extra": 1}),
    "null": answer(200, {"status": None}),
    "another status": answer(202, {"status": "ok"}),
    "a request id of another form": answer(200, {"status": "ok"}, **{"x-request-id": "short"}),
    "another media type": answer(200, {"status": "ok"}, **{"content-type": "text/plain"}),
    "a code of other endpoints": answer(500, {"error": "BUDGET_EXCEEDED", **PROBLEM}),
    "another trace": answer(500, {"error": "INTERNAL_ERROR", **PROBLEM, "trace_id": "c" * 32}),
    "an answer from nowhere": answer(200, {}, path="/nowhere"),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_answer_that_is_not_described_is_noticed(odd: httpx.Response) -> None:
    with pytest.raises(AssertionError):
        contract.check(odd)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asynchronous_clients_have_a_witness_too(server: Served) -> None:
    hooks = {"response": [contract.check_async]}
    async with httpx.AsyncClient(base_url=server.base_url, event_hooks=hooks) as client:
        assert (await client.get("/healthz")).status_code == 200
