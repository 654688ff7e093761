"""A key that is limited to some scopes reaches no other, whatever it asks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.http.conftest import Acme
from tests.support.served import Served, served

WRITER, EDITOR = {"agent": "Writer"}, {"agent": "editor"}
EVERYTHING = ["admin:read", "admin:write", "reservations:create", "reservations:list"]


@pytest.fixture(scope="module", params=["memory:", "sqlite"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    path: Path = tmp_path_factory.mktemp("filter") / "filter.db"
    with served("memory:" if request.param == "memory:" else f"sqlite:///{path}") as running:
        yield running


@pytest.fixture
def limited(acme: Acme) -> Iterator[httpx.Client]:
    """A client whose key is for the agent `writer` and the workspaces."""
    with acme.server.client_of(acme.tenant, scope_filter=["agent:writer", "workspace:*"]) as client:
        yield client


def refused(answer: httpx.Response, where: str) -> bool:
    said = answer.json()
    return (answer.status_code, said.get("error")) == (403, "FORBIDDEN") and where in str(said)


def question(acme: Acme, key: str, levels: dict[str, str]) -> dict[str, Any]:
    return acme.question(key, 10, subject=acme.subject(**levels))


def test_what_lies_outside_cannot_be_asked_for(acme: Acme, limited: httpx.Client) -> None:
    before = acme.ledger()
    for levels in (EDITOR, {}, {"app": "writer"}, {"agent": "writer-2"}):
        for path in ("/v1/reservations", "/v1/decide"):
            answer = limited.post(path, json=question(acme, "k", levels))
            assert refused(answer, "agent:writer, workspace:*"), answer.text
        spend = acme.spend("k", 10, subject=acme.subject(**levels))
        assert limited.post("/v1/events", json=spend).status_code == 403
    assert acme.ledger() == before


def test_what_lies_inside_can_with_or_without_the_tenants_name(
    acme: Acme, limited: httpx.Client
) -> None:
    for number, levels in enumerate((WRITER, {"workspace": "eng", "agent": "editor"})):
        asked = question(acme, f"k{number}", levels)
        assert limited.post("/v1/reservations", json=asked).status_code == 200
    nameless = acme.question("k", subject=WRITER)  # no budget is found, but it may ask
    assert limited.post("/v1/reservations", json=nameless).status_code == 404


def test_a_filter_of_the_tenant_fits_every_subject_of_it(acme: Acme) -> None:
    with acme.server.client_of(acme.tenant, scope_filter=[f"tenant:{acme.tenant}"]) as client:
        for number, subject in enumerate((acme.subject(), acme.subject(agent="a"))):
            asked = acme.question(f"k{number}", 1, subject=subject)
            assert client.post("/v1/reservations", json=asked).status_code == 200
        assert len(client.get("/v1/reservations").json()["reservations"]) == 2
    with acme.server.client_of(acme.tenant, scope_filter=["tenant:another"]) as client:
        assert client.get("/v1/reservations").json()["reservations"] == []
        assert client.post("/v1/reservations", json=acme.question("k")).status_code == 403


def test_a_reservation_outside_can_be_neither_read_nor_settled(
    acme: Acme, limited: httpx.Client
) -> None:
    held = acme.client.post("/v1/reservations", json=question(acme, "k", EDITOR)).json()
    place, before = f"/v1/reservations/{held['reservation_id']}", acme.ledger()
    amount = {"unit": "TOKENS", "amount": 1}
    for answer in (
        limited.get(place),
        limited.post(f"{place}/commit", json={"idempotency_key": "c", "actual": amount}),
        limited.post(f"{place}/release", json={"idempotency_key": "r"}),
        limited.post(f"{place}/extend", json={"idempotency_key": "e", "extend_by_ms": 1_000}),
    ):
        assert refused(answer, "agent:editor"), answer.text
    assert acme.ledger() == before


def test_a_replay_is_refused_to_a_key_that_may_not_ask(acme: Acme, limited: httpx.Client) -> None:
    asked = question(acme, "k", EDITOR)
    assert acme.client.post("/v1/reservations", json=asked).status_code == 200
    assert limited.post("/v1/reservations", json=asked).status_code == 403


def test_lists_hold_only_what_lies_inside(acme: Acme, limited: httpx.Client) -> None:
    subjects = [WRITER, EDITOR, {}, {"workspace": "eng"}, {"workspace": "eng", "agent": "editor"}]
    for number, levels in enumerate(subjects):
        asked = question(acme, f"k{number}", levels)
        assert acme.client.post("/v1/reservations", json=asked).status_code == 200
        if levels:
            path = "/".join(f"{level}:{name}" for level, name in levels.items())
            with acme.server.admin() as admin:
                made = admin.post(
                    "/v1/admin/budgets",
                    json={
                        "tenant_id": acme.tenant,
                        "scope": f"tenant:{acme.tenant}/{path}",
                        "unit": "TOKENS",
                        "allocated": {"unit": "TOKENS", "amount": 50},
                    },
                )
                assert made.status_code == 201, made.text
    inside = {"agent:writer", "workspace:eng", "workspace:eng/agent:editor"}

    def below(scopes: list[str]) -> set[str]:
        return {scope.partition("/")[2] for scope in scopes}

    rows = walked(limited, "/v1/reservations", "reservations")
    assert below([row["scope_path"] for row in rows]) == inside
    rows = walked(limited, "/v1/balances", "balances", tenant=acme.tenant)
    assert below([row["scope_path"] for row in rows]) == inside
    rows = walked(limited, "/v1/balances", "balances")
    assert below([row["scope"] for row in rows]) == inside
    rows = walked(limited, "/v1/admin/budgets", "ledgers")
    assert below([row["scope"] for row in rows]) == inside


def walked(client: httpx.Client, path: str, name: str, **query: str) -> list[dict[str, Any]]:
    """Every row of a list, one a page: pages are cut from what the key may see."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get(path, params={**query, "limit": "1", **cursor}).json()
        assert len(page[name]) == 1
        rows += page[name]
        if not page["has_more"]:
            return rows
        cursor = {"cursor": page["next_cursor"]}


def test_budgets_and_policies_outside_are_out_of_reach(acme: Acme) -> None:
    root = f"tenant:{acme.tenant}"
    amount = {"unit": "TOKENS", "amount": 5}
    at = {"scope": root, "unit": "TOKENS"}
    with acme.server.client_of(
        acme.tenant, permissions=EVERYTHING, scope_filter=["agent:writer"]
    ) as limited:
        fund = {"operation": "CREDIT", "amount": amount}
        for answer in (
            limited.get("/v1/admin/budgets/lookup", params=at),
            limited.post("/v1/admin/budgets/fund", params=at, json=fund),
            limited.post(
                "/v1/admin/budgets",
                json={"scope": f"{root}/agent:editor", "unit": "TOKENS", "allocated": amount},
            ),
            limited.post("/v1/admin/policies", json={"name": "all", "scope_pattern": f"{root}/*"}),
            limited.post(
                "/v1/admin/policies", json={"name": "any", "scope_pattern": f"{root}/agent:*"}
            ),
        ):
            assert refused(answer, "agent:writer only"), answer.text
        inside = {"scope": f"{root}/agent:Writer", "unit": "TOKENS"}
        made = limited.post("/v1/admin/budgets", json={**inside, "allocated": amount})
        assert made.status_code == 201
        assert limited.get("/v1/admin/budgets/lookup", params=inside).status_code == 200


def test_policies_are_seen_and_changed_only_inside(acme: Acme) -> None:
    root = f"tenant:{acme.tenant}"
    ids = []
    with acme.server.admin() as admin:
        for name in ("writer", "editor"):
            pattern = f"{root}/agent:{name}"
            body = {"tenant_id": acme.tenant, "name": name, "scope_pattern": pattern}
            made = admin.post("/v1/admin/policies", json=body)
            assert made.status_code == 201, made.text
            ids.append(made.json()["policy_id"])
    with acme.server.client_of(
        acme.tenant, permissions=EVERYTHING, scope_filter=["agent:writer"]
    ) as limited:
        seen = limited.get("/v1/admin/policies").json()["policies"]
        assert [policy["policy_id"] for policy in seen] == ids[:1]
        change = {"description": "changed"}
        assert limited.patch(f"/v1/admin/policies/{ids[0]}", json=change).status_code == 200
        assert refused(limited.patch(f"/v1/admin/policies/{ids[1]}", json=change), "agent:editor")
