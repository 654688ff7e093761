"""Policies: made, listed and changed, by an operator for anybody and by a tenant for itself."""

from dataclasses import replace
from typing import Any

import pytest

from runcycles.ledger.policies import MAX_POLICIES, Policy, PolicyBook, policies_key
from runcycles.ledger.state import tenant_key
from runcycles.types import TenantStatus
from tests.server.governance.policy_asks import MAIL, OUTSIDE, PATH, listed, made, new
from tests.server.http.conftest import Acme


def test_a_policy_is_answered_as_it_was_made(acme: Acme) -> None:
    said: dict[str, Any] = {
        "description": "for the night",
        "priority": 10,
        "caps": {"max_tokens": 500, "tool_denylist": ["shell"]},
        "commit_overage_policy": "REJECT",
        "reservation_ttl_override": {"default_ttl_ms": 2_000, "max_extensions": 0},
        "rate_limits": {"max_reservations_per_minute": 60},
        "effective_from": "2030-01-01T00:00:00.000Z",
        "effective_until": "2030-02-01T00:00:00.000Z",
        "action_quotas": [
            {
                **MAIL,
                "host_allowlist": ["api.sendgrid.com"],
                "recipient_domain_allowlist": [],
                "resource_type_allowlist": [],
                "per_run_counter_ttl_ms": 60_000,
                "threshold_pct": 0.5,
            }
        ],
        "risk_class_quotas": [OUTSIDE],
        "allowed_action_kinds": [],
        "denied_action_kinds": ["payment.charge"],
    }
    policy = made(acme, scope="/agent:Writer", **said)
    assert policy.pop("policy_id").startswith("pol_")
    assert policy.pop("created_at")
    assert policy == {
        "name": "few mails",
        "scope_pattern": f"tenant:{acme.tenant}/agent:writer",
        "status": "ACTIVE",
        **said,
    }


def test_what_is_left_out_is_left_out_but_the_lists_are_there(acme: Acme) -> None:
    policy = made(acme)
    del policy["policy_id"], policy["created_at"]
    assert policy == {
        "name": "few mails",
        "scope_pattern": f"tenant:{acme.tenant}",
        "status": "ACTIVE",
        "priority": 0,
        "action_quotas": [],
        "risk_class_quotas": [],
        "allowed_action_kinds": [],
        "denied_action_kinds": [],
    }


@pytest.mark.parametrize("scope", ["", "/*", "/agent:*", "/app:mail/agent:bot", "/app:mail/*"])
def test_a_pattern_is_a_path_with_a_star_at_its_end_at_most(acme: Acme, scope: str) -> None:
    assert made(acme, scope=scope)["scope_pattern"] == f"tenant:{acme.tenant}{scope}"


@pytest.mark.parametrize(
    ("scope", "segment"),
    [
        ("/*/agent:bot", "'*'"),
        ("/agent:*/toolset:t", "'agent:*'"),
        ("/agent:b*", "'agent:b*'"),
        ("/agent:", "'agent:'"),
        ("/colour:red", "'colour:red'"),
        ("/agent:a/app:b", "'app:b'"),
        ("/agent:a/app:*", "'app:*'"),
        ("/toolset:t/*", "'toolset:t'"),
        ("/", "''"),
    ],
)
def test_a_pattern_that_nothing_can_match_is_refused_by_the_segment(
    acme: Acme, scope: str, segment: str
) -> None:
    answer = acme.client.post(PATH, json=new(acme, scope=scope))
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert answer.json()["details"]["field"] == "scope_pattern"
    assert segment in answer.json()["message"]


@pytest.mark.parametrize("pattern", ["*", "agent:*", "*/agent:summarizer", "tenant:*"])
def test_a_pattern_starts_with_the_tenants_own_id(acme: Acme, pattern: str) -> None:
    answer = acme.client.post(PATH, json={"name": "n", "scope_pattern": pattern})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert "scope_pattern" in answer.json()["message"]


def test_nobody_makes_a_policy_for_anothers_scope(acme: Acme) -> None:
    other = acme.server.tenant(allocated=None)
    answer = acme.client.post(PATH, json={"name": "n", "scope_pattern": f"tenant:{other}"})
    assert answer.status_code == 400
    assert other in answer.json()["message"]


def test_the_operator_says_whose_policy_it_is_and_a_tenant_does_not(acme: Acme) -> None:
    own = acme.client.post(PATH, json=new(acme, tenant_id=acme.tenant))
    assert (own.status_code, own.json()["details"]["field"]) == (400, "tenant_id")
    with acme.server.admin() as admin:
        nobodys = admin.post(PATH, json=new(acme))
        assert (nobodys.status_code, nobodys.json()["details"]["field"]) == (400, "tenant_id")
        assert admin.post(PATH, json=new(acme, tenant_id=acme.tenant)).status_code == 201
        unknown = {"name": "n", "scope_pattern": "tenant:nobody", "tenant_id": "nobody"}
        answer = admin.post(PATH, json=unknown)
    assert (answer.status_code, answer.json()["error"]) == (404, "TENANT_NOT_FOUND")
    assert listed(acme.client) == ["few mails"]


def test_a_name_is_given_once_in_a_tenant(acme: Acme) -> None:
    first, second = made(acme), made(acme, name="other")
    again = acme.client.post(PATH, json=new(acme, scope="/*"))
    renamed = acme.client.patch(f"{PATH}/{second['policy_id']}", json={"name": "few mails"})
    for answer in (again, renamed):
        assert (answer.status_code, answer.json()["error"]) == (409, "DUPLICATE_RESOURCE")
        assert first["policy_id"] in answer.json()["message"]
    assert sorted(listed(acme.client)) == ["few mails", "other"]
    same = acme.client.patch(f"{PATH}/{first['policy_id']}", json={"name": "few mails"})
    assert same.status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"description": "x" * 1_025}, "description"),
        ({"priority": -1}, "priority"),
        ({"caps": {"max_tokens": -1}}, "caps.max_tokens"),
        ({"caps": {"colour": "red"}}, "caps.colour"),
        ({"commit_overage_policy": "MAYBE"}, "commit_overage_policy"),
        (
            {"reservation_ttl_override": {"max_ttl_ms": 999}},
            "reservation_ttl_override.max_ttl_ms",
        ),
        ({"rate_limits": {"max_commits_per_minute": 0}}, "rate_limits.max_commits_per_minute"),
        ({"effective_from": "tomorrow"}, "effective_from"),
        (
            {"effective_from": "2030-01-02T00:00:00Z", "effective_until": "2030-01-02T00:00:00Z"},
            "effective_until",
        ),
        ({"action_quotas": [MAIL] * 51}, "action_quotas"),
        ({"action_quotas": [{**MAIL, "window": "per_year"}]}, "action_quotas.0.window"),
        ({"action_quotas": [{**MAIL, "max_calls": 0}]}, "action_quotas.0.max_calls"),
        ({"action_quotas": [{**MAIL, "max_calls": 100_001}]}, "action_quotas.0.max_calls"),
        ({"action_quotas": [{**MAIL, "threshold_pct": 1}]}, "action_quotas.0.threshold_pct"),
        ({"action_quotas": [{**MAIL, "risk_class": "high_risk"}]}, "action_quotas.0.risk_class"),
        (
            {"action_quotas": [MAIL, {**MAIL, "action_kind": "email.send"}]},
            "action_quotas.1.action_kind",
        ),
        (
            {"action_quotas": [{**MAIL, "action_kind": "custom.nobody.declared"}]},
            "action_quotas.0.action_kind",
        ),
        (
            {"action_quotas": [{**MAIL, "host_allowlist": ["h"] * 201}]},
            "action_quotas.0.host_allowlist",
        ),
        (
            {"action_quotas": [{**MAIL, "resource_type_allowlist": ["x" * 129]}]},
            "action_quotas.0.resource_type_allowlist.0",
        ),
        (
            {"action_quotas": [{**MAIL, "per_run_counter_ttl_ms": 59_999}]},
            "action_quotas.0.per_run_counter_ttl_ms",
        ),
        ({"risk_class_quotas": [OUTSIDE] * 21}, "risk_class_quotas"),
        (
            {"risk_class_quotas": [{**OUTSIDE, "risk_class": "daring"}]},
            "risk_class_quotas.0.risk_class",
        ),
        (
            {"risk_class_quotas": [OUTSIDE, {**OUTSIDE, "per_run_counter_ttl_ms": 60_000}]},
            "risk_class_quotas.1.per_run_counter_ttl_ms",
        ),
        ({"denied_action_kinds": ["db.query"] * 201}, "denied_action_kinds"),
        ({"denied_action_kinds": ["db.query", "x" * 65]}, "denied_action_kinds.1"),
        ({"denied_action_kinds": ["db.query", "db.drop"]}, "denied_action_kinds.1"),
        ({"allowed_action_kinds": ["custom.nobody.declared"]}, "allowed_action_kinds.0"),
        (
            {"allowed_action_kinds": ["db.query"], "denied_action_kinds": ["db.write"]},
            "denied_action_kinds",
        ),
        ({"colour": "red"}, "colour"),
        ({"policy_id": "pol_mine"}, "policy_id"),
    ],
)
def test_a_wrong_policy_is_not_made_and_no_change_either(
    acme: Acme, body: dict[str, Any], field: str
) -> None:
    answer = acme.client.post(PATH, json={**new(acme), **body})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert f"{field}: " in answer.json()["message"]
    assert listed(acme.client) == []
    before = made(acme)
    changed = acme.client.patch(f"{PATH}/{before['policy_id']}", json=body)
    assert changed.status_code == 400
    assert f"{field}: " in changed.json()["message"]
    assert acme.client.get(PATH).json()["policies"] == [before]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_a_threshold_is_a_number(acme: Acme, number: str) -> None:
    body = (
        f'{{"name": "n", "scope_pattern": "tenant:{acme.tenant}", "action_quotas": '
        '[{"action_kind": "db.query", "max_calls": 1, "window": "per_run", '
        f'"threshold_pct": {number}}}]}}'
    )
    answer = acme.client.post(PATH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400


def test_a_change_replaces_what_it_names_and_nothing_else(acme: Acme) -> None:
    before = made(acme, action_quotas=[MAIL], risk_class_quotas=[OUTSIDE], priority=3)
    path = f"{PATH}/{before['policy_id']}"
    mails = [{**before["action_quotas"][0], "max_calls": 10}]
    after = acme.client.patch(path, json={"action_quotas": mails, "status": "DISABLED"}).json()
    assert after.pop("updated_at")
    assert after == {**before, "action_quotas": mails, "status": "DISABLED"}
    again = acme.client.patch(path, json={"status": "ACTIVE", "name": "no mails"}).json()
    assert (again["status"], again["name"], again["action_quotas"]) == ("ACTIVE", "no mails", mails)


def test_an_empty_list_or_object_clears(acme: Acme) -> None:
    before = made(
        acme,
        description="old",
        caps={"max_tokens": 5},
        rate_limits={"max_commits_per_minute": 5},
        reservation_ttl_override={"max_ttl_ms": 5_000},
        action_quotas=[MAIL],
        risk_class_quotas=[OUTSIDE],
        denied_action_kinds=["db.write"],
    )
    path = f"{PATH}/{before['policy_id']}"
    cleared = acme.client.patch(
        path,
        json={
            "description": "",
            "caps": {},
            "rate_limits": {},
            "reservation_ttl_override": {},
            "risk_class_quotas": [],
            "denied_action_kinds": [],
        },
    ).json()
    gone = ("description", "caps", "rate_limits", "reservation_ttl_override", "updated_at")
    assert {name: value for name, value in cleared.items() if name != "updated_at"} == {
        **{name: value for name, value in before.items() if name not in gone},
        "risk_class_quotas": [],
        "denied_action_kinds": [],
    }


def test_one_list_of_kinds_gives_way_to_the_other_in_one_change(acme: Acme) -> None:
    path = f"{PATH}/{made(acme, denied_action_kinds=['db.write'])['policy_id']}"
    both = acme.client.patch(path, json={"allowed_action_kinds": ["db.query"]})
    assert both.status_code == 400
    swapped = acme.client.patch(
        path,
        json={"allowed_action_kinds": ["db.query", "db.query"], "denied_action_kinds": []},
    )
    assert swapped.json()["allowed_action_kinds"] == ["db.query"]


def test_the_pattern_of_a_policy_does_not_change(acme: Acme) -> None:
    path = f"{PATH}/{made(acme)['policy_id']}"
    for body in ({"scope_pattern": f"tenant:{acme.tenant}/*"}, {"tenant_id": acme.tenant}):
        answer = acme.client.patch(path, json=body)
        assert answer.status_code == 400
        assert next(iter(body)) in answer.json()["message"]


def test_a_policy_of_another_tenant_stays_as_it_is(acme: Acme) -> None:
    policy = made(acme)
    path = f"{PATH}/{policy['policy_id']}"
    with acme.server.client_of(acme.server.tenant(allocated=None)) as stranger:
        answer = stranger.patch(path, json={"status": "DISABLED"})
        assert (answer.status_code, answer.json()["error"]) == (403, "FORBIDDEN")
        assert listed(stranger, tenant_id=acme.tenant) == []
    assert acme.client.get(PATH).json()["policies"] == [policy]
    with acme.server.admin() as admin:
        assert admin.patch(path, json={"status": "DISABLED"}).json()["status"] == "DISABLED"


def test_an_unknown_policy_is_not_found(acme: Acme) -> None:
    answer = acme.client.patch(f"{PATH}/pol_nothing", json={"priority": 1})
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")
    assert "pol_nothing" in answer.json()["message"]


def test_a_closed_tenants_policies_do_not_change(acme: Acme) -> None:
    path = f"{PATH}/{made(acme)['policy_id']}"
    found = acme.server.run(acme.server.store.get(tenant_key(acme.tenant)))
    acme.server.put(replace(found, status=TenantStatus.CLOSED))
    with acme.server.admin() as admin:
        created = admin.post(PATH, json=new(acme, name="late", tenant_id=acme.tenant))
        changed = admin.patch(path, json={"priority": 1})
    for answer in (created, changed):
        assert (answer.status_code, answer.json()["error"]) == (409, "TENANT_CLOSED")


def test_a_book_has_a_last_page(acme: Acme) -> None:
    scope = f"tenant:{acme.tenant}"
    policies = tuple(
        Policy(policy_id=f"pol_{n}", name=f"{n}", scope_pattern=scope, created_at_ms=0)
        for n in range(MAX_POLICIES)
    )
    acme.server.put(PolicyBook(tenant=acme.tenant, policies=policies))
    answer = acme.client.post(PATH, json=new(acme))
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert acme.client.patch(f"{PATH}/pol_7", json={"priority": 1}).status_code == 200
    book = acme.server.run(acme.server.store.get(policies_key(acme.tenant)))
    assert len(book.policies) == MAX_POLICIES
