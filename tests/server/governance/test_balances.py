"""One path, two forms: balances for whoever names a subject, budgets for whoever names none."""

from dataclasses import replace
from typing import Any

import pytest

from runcycles.types import BudgetStatus
from tests.server.governance.asks import PATH, account, amount, new
from tests.server.http.conftest import Acme

BALANCES = "/v1/balances"


@pytest.fixture
def three(acme: Acme) -> Acme:
    """A root, an agent and an app in another unit."""
    acme.client.post(PATH, json=new(acme, "/agent:writer"))
    other = {"unit": "CREDITS", "allocated": amount(5, "CREDITS")}
    acme.client.post(PATH, json={**new(acme, "/app:a"), **other})
    return acme


def listed(acme: Acme, **query: Any) -> list[dict[str, Any]]:
    answer = acme.client.get(BALANCES, params=query)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["balances"]
    return rows


def leaves(rows: list[dict[str, Any]]) -> list[str]:
    return [row["scope"].partition("/")[2] for row in rows]


def test_without_a_subject_budgets_are_listed_as_the_operator_sees_them(three: Acme) -> None:
    budgets = three.client.get(PATH, params={"sort_by": "scope", "sort_dir": "asc"}).json()
    answer = three.client.get(BALANCES).json()
    assert answer == {"balances": budgets["ledgers"], "has_more": False}
    assert leaves(answer["balances"]) == ["", "agent:writer", "app:a"]


@pytest.mark.parametrize("level", ["tenant", "workspace", "app", "workflow", "agent", "toolset"])
def test_with_a_subject_the_runtime_answers(three: Acme, level: str) -> None:
    wanted = {"tenant": three.tenant, "agent": "writer", "app": "a"}.get(level, "nobody")
    rows = listed(three, **{level: wanted, "unit": "EUROS"})
    assert len(rows) == {"tenant": 3, "agent": 1, "app": 1}.get(level, 0)
    assert not any("ledger_id" in row for row in rows)


def test_a_blank_subject_is_none(three: Acme) -> None:
    assert len(listed(three, agent=" ", tenant="")) == 3
    assert "ledger_id" in listed(three, agent="")[0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"unit": "CREDITS"}, ["app:a"]),
        ({"scope_prefix": "tenant:{tenant}/AG"}, ["agent:writer"]),
        ({"scope_prefix": "tenant:{tenant}/", "unit": "TOKENS"}, ["agent:writer"]),
        ({"tenant_id": "somebody-else"}, ["", "agent:writer", "app:a"]),
        ({"colour": "red"}, ["", "agent:writer", "app:a"]),
    ],
)
def test_budgets_are_filtered_and_always_the_callers(
    three: Acme, query: dict[str, str], found: list[str]
) -> None:
    asked = {name: text.format(tenant=three.tenant) for name, text in query.items()}
    rows = listed(three, **asked)
    assert leaves(rows) == found
    assert {row["tenant_id"] for row in rows} == {three.tenant}


def test_budgets_of_every_state_are_shown_with_it(three: Acme) -> None:
    for status in BudgetStatus:
        three.server.put(replace(account(three), status=status))
        assert listed(three)[0]["status"] == status


def test_budgets_come_in_pages_that_end(three: Acme) -> None:
    first = three.client.get(BALANCES, params={"limit": 2}).json()
    query = {"limit": 2, "cursor": first["next_cursor"]}
    last = three.client.get(BALANCES, params=query).json()
    assert leaves([*first["balances"], *last["balances"]]) == ["", "agent:writer", "app:a"]
    assert (first["has_more"], last["has_more"], "next_cursor" in last) == (True, False, False)


@pytest.mark.parametrize("limit", ["0", "-1", "1000"])
def test_a_page_size_out_of_range_is_brought_into_it(three: Acme, limit: str) -> None:
    assert len(listed(three, limit=limit)) in (1, 3)


@pytest.mark.parametrize(
    "query", [{"unit": "EUROS"}, {"limit": "many"}, {"cursor": "nonsense"}, {"cursor": "{other}"}]
)
def test_a_wrong_list_names_the_parameter(three: Acme, query: dict[str, str]) -> None:
    other = three.client.get(BALANCES, params={"limit": 1, "unit": "TOKENS"}).json()["next_cursor"]
    asked = {name: text.format(other=other) for name, text in query.items()}
    answer = three.client.get(BALANCES, params=asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert next(iter(query)) in answer.json()["message"]


def test_a_key_for_one_scope_sees_the_budgets_of_that_scope(three: Acme) -> None:
    with three.server.client_of(three.tenant, scope_filter=["agent:writer"]) as client:
        rows = client.get(BALANCES).json()["balances"]
    assert leaves(rows) == ["agent:writer"]
