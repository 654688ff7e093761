"""Policies, found again."""

from typing import Any

import pytest

from tests.server.governance.policy_asks import MAIL, OUTSIDE, PATH, listed, made
from tests.server.http.conftest import Acme
from tests.support.served import Served


def test_a_list_holds_what_passes_every_filter(acme: Acme) -> None:
    made(acme, "mails", action_quotas=[MAIL])
    made(acme, "reading", "/agent:bot", allowed_action_kinds=["db.query"])
    off = made(acme, "off", "/agent:bot", denied_action_kinds=["message.email.send"])
    acme.client.patch(f"{PATH}/{off['policy_id']}", json={"status": "DISABLED"})
    made(acme, "outside", risk_class_quotas=[OUTSIDE])
    scope = f"tenant:{acme.tenant}/agent:BOT"
    assert sorted(listed(acme.client)) == ["mails", "off", "outside", "reading"]
    assert sorted(listed(acme.client, scope_pattern=scope)) == ["off", "reading"]
    assert listed(acme.client, scope_pattern=scope, status="ACTIVE") == ["reading"]
    assert listed(acme.client, status="DISABLED") == ["off"]
    assert listed(acme.client, has_action_quotas=True) == ["mails"]
    assert sorted(listed(acme.client, has_action_quotas=False)) == ["off", "outside", "reading"]
    kind = "message.email.send"
    assert sorted(listed(acme.client, references_action_kind=kind)) == ["mails", "off"]
    assert listed(acme.client, references_action_kind="db.query") == ["reading"]
    assert listed(acme.client, references_action_kind="db.write") == []


def test_a_list_comes_in_pages(acme: Acme) -> None:
    for letter in "abcde":
        made(acme, letter)
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = acme.client.get(PATH, params=query).json()
        found += [policy["name"] for policy in page["policies"]]
        assert page["has_more"] == ("next_cursor" in page)
        if not page["has_more"]:
            break
        query["cursor"] = page["next_cursor"]
    assert sorted(found) == list("abcde")
    with acme.server.admin() as admin:
        assert listed(admin, tenant_id=acme.tenant, **query) != []


def test_the_operator_says_whose_policies_are_listed(server: Served) -> None:
    with server.admin() as admin:
        answer = admin.get(PATH)
        assert (answer.status_code, answer.json()["details"]["field"]) == (400, "tenant_id")
        assert listed(admin, tenant_id="nobody") == []


@pytest.mark.parametrize(
    "query",
    [
        {"status": "LOST"},
        {"has_action_quotas": "perhaps"},
        {"references_action_kind": "x" * 65},
        {"cursor": "nonsense"},
        {"limit": "many"},
    ],
)
def test_a_wrong_list_is_400_and_names_the_parameter(acme: Acme, query: dict[str, str]) -> None:
    answer = acme.client.get(PATH, params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert next(iter(query)) in answer.json()["message"]
