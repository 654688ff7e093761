"""Why something was decided, as `GET /v1/x-runcycles/explain` tells it."""

from typing import Any

import httpx
import pytest

from runcycles.ledger.state import Tenant
from runcycles.types import TenantStatus
from runcycles_server.decisions.steps import CHECKS
from tests.server.governance.audit_log import the_log
from tests.server.governance.policy_asks import made
from tests.server.http.conftest import Acme

PATH = "/v1/x-runcycles/explain"


def asked(client: httpx.Client, wanted: str) -> httpx.Response:
    return client.get(PATH, params={"id": wanted})


def explained(acme: Acme, wanted: str) -> dict[str, Any]:
    """The only decision under an id, as the tenant reads it."""
    answer = asked(acme.client, wanted)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["id"], len(said["decisions"])) == (wanted, 1)
    found: dict[str, Any] = said["decisions"][0]
    return found


def outcomes(decision: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["outcome"] for step in decision["steps"]}


def sentence(decision: dict[str, Any], name: str) -> str:
    return next(str(step["sentence"]) for step in decision["steps"] if step["name"] == name)


def test_a_permission_is_explained_step_by_step(acme: Acme) -> None:
    answer = acme.reserve("why", 100, subject=acme.subject(agent="bot"))
    decision = explained(acme, answer.json()["reservation_id"])
    assert list(outcomes(decision)) == [check.name for check in CHECKS]
    assert set(outcomes(decision).values()) == {"pass"}
    assert sentence(decision, "tenant") == "The tenant is ACTIVE."
    assert sentence(decision, "enough_remaining") == (
        f"tenant:{acme.tenant} has 1000 left of 1000 (spent 0, reserved 0, owed 0), and 100 TOKENS "
        "were asked for."
    )
    assert decision["subject"] == acme.subject(agent="bot")
    assert decision["action"] == {"kind": "llm.completion", "name": "gpt-4o"}
    assert decision["estimate"] == {"unit": "TOKENS", "amount": 100}
    assert (decision["asked"], decision["decision"]) == ("reserve", "ALLOW")
    assert (decision["observed"], decision["repeats"]) == (False, 0)
    assert decision["request_ids"] == [answer.headers["x-request-id"]]
    assert decision["trace_id"] == answer.headers["x-cycles-trace-id"]
    assert decision["idempotency_key"] == "why"
    assert decision["now"] == {"decision": "ALLOW"}


def test_a_denial_says_where_it_fell_and_what_would_allow_it(acme: Acme) -> None:
    answer = acme.reserve("why", 1_001)
    decision = explained(acme, answer.json()["request_id"])
    assert (decision["decision"], decision["reason_code"]) == ("DENY", "BUDGET_EXCEEDED")
    assert decision["message"] == answer.json()["message"]
    assert outcomes(decision).pop("enough_remaining") == "fail"
    assert [name for name, said in outcomes(decision).items() if said != "pass"] == [
        "enough_remaining"
    ]
    assert sentence(decision, "enough_remaining") == f"{answer.json()['message']}."
    now = decision["now"]
    assert (now["decision"], now["reason_code"]) == ("DENY", "BUDGET_EXCEEDED")
    assert now["what_would_allow_it"].startswith(f"Fund tenant:{acme.tenant} with at least 1 ")


def test_what_comes_after_the_fall_was_not_reached(acme: Acme) -> None:
    with acme.server.admin() as admin:
        frozen = admin.post(
            "/v1/admin/budgets/freeze",
            params={"scope": f"tenant:{acme.tenant}", "unit": "TOKENS"},
            json={"reason": "an incident"},
        )
    assert frozen.status_code == 200, frozen.text
    decision = explained(acme, acme.reserve().json()["request_id"])
    names = list(outcomes(decision))
    fallen = names.index("budget_not_frozen")
    assert list(outcomes(decision).values()) == (
        ["pass"] * fallen + ["fail"] + ["not_reached"] * (len(names) - fallen - 1)
    )
    assert sentence(decision, "enough_remaining") == "Not looked at any more."


def test_what_changed_since_shows_in_what_would_be_said_now(acme: Acme) -> None:
    denied = acme.reserve("why", 1_001)
    with acme.server.admin() as admin:
        admin.post(
            "/v1/admin/budgets/fund",
            params={"scope": f"tenant:{acme.tenant}", "unit": "TOKENS", "tenant_id": acme.tenant},
            json={
                "operation": "CREDIT",
                "amount": {"unit": "TOKENS", "amount": 1},
                "idempotency_key": "more",
            },
        )
    decision = explained(acme, denied.json()["request_id"])
    assert decision["decision"] == "DENY"
    assert decision["now"] == {"decision": "ALLOW"}


def test_to_explain_changes_nothing(acme: Acme) -> None:
    held = acme.held()
    before = acme.ledger()
    first, again = asked(acme.client, held).json(), asked(acme.client, held).json()
    assert first == again
    assert acme.ledger() == before


def test_a_tenant_that_was_suspended_is_explained_to_the_operator(acme: Acme) -> None:
    acme.server.put(Tenant(tenant_id=acme.tenant, status=TenantStatus.SUSPENDED))
    denied = acme.reserve()
    assert denied.status_code == 403
    with acme.server.admin() as admin:
        [decision] = asked(admin, denied.json()["request_id"]).json()["decisions"]
    assert outcomes(decision)["tenant"] == "fail"
    assert decision["now"]["reason_code"] == "TENANT_SUSPENDED"
    entry = the_log(acme.server, request_id=denied.json()["request_id"])
    assert (entry["operation"], entry["status"]) == ("POST:/v1/reservations", 403)


def test_one_trace_may_have_many_decisions_the_newest_first(acme: Acme) -> None:
    trace = "cd" * 16
    headers = {"X-Cycles-Trace-Id": trace}
    for key in ("one", "two"):
        body = acme.question(key)
        acme.client.post("/v1/reservations", json=body, headers=headers)
    found = asked(acme.client, trace).json()["decisions"]
    assert [decision["idempotency_key"] for decision in found] == ["two", "one"]


def test_a_denial_is_in_the_audit_log_under_the_same_ids(acme: Acme) -> None:
    denied = acme.reserve("why", 1_001)
    entry = the_log(acme.server, request_id=denied.json()["request_id"])
    assert (entry["operation"], entry["status"]) == ("createReservation", 409)
    assert (entry["tenant_id"], entry["error_code"]) == (acme.tenant, "BUDGET_EXCEEDED")
    assert entry["trace_id"] == denied.json()["trace_id"]
    assert entry["subject"] == acme.subject()
    assert entry["action"] == {"kind": "llm.completion", "name": "gpt-4o"}
    assert entry["amount"] == {"unit": "TOKENS", "amount": 1_001}
    assert entry["metadata"]["error_message"] == denied.json()["message"]


@pytest.mark.parametrize("wanted", ["never-was", "x" * 256, "a b"])
def test_an_unknown_id_is_404_with_a_sentence(acme: Acme, wanted: str) -> None:
    answer = asked(acme.client, wanted)
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")
    assert "kept for 7 days" in answer.json()["message"]


@pytest.mark.parametrize("query", [{}, {"id": ""}, {"id": "x" * 257}])
def test_without_an_id_nothing_is_explained(acme: Acme, query: dict[str, str]) -> None:
    answer = acme.client.get(PATH, params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert "id" in answer.json()["message"]


def test_another_tenants_decision_is_unknown(acme: Acme) -> None:
    held = acme.held()
    other = acme.server.tenant()
    with acme.server.client_of(other) as client:
        assert asked(client, held).status_code == 404
    with acme.server.admin() as admin:
        assert asked(admin, held).json()["decisions"][0]["tenant_id"] == acme.tenant


def test_a_key_for_some_scopes_reads_only_theirs(acme: Acme) -> None:
    mine = acme.reserve("mine", subject=acme.subject(agent="bot"))
    other = acme.reserve("other", subject=acme.subject(agent="other"))
    with acme.server.client_of(acme.tenant, scope_filter=["agent:bot"]) as client:
        assert asked(client, mine.headers["x-request-id"]).status_code == 200
        assert asked(client, other.headers["x-request-id"]).status_code == 404


def test_a_policy_is_named_and_its_quotas_are_counted(acme: Acme) -> None:
    policy = made(
        acme,
        caps={"max_tokens": 64},
        action_quotas=[{"action_kind": "message.email.send", "max_calls": 1, "window": "per_run"}],
        rate_limits={"max_reservations_per_minute": 9},
    )
    email = {"kind": "message.email.send", "name": "mail", "policy_keys": {"host": "example.org"}}
    subject = {**acme.subject(), "dimensions": {"run_id": "run-7"}}
    asked_for: dict[str, Any] = {"subject": subject, "action": email}
    allowed = explained(acme, acme.reserve("one", **asked_for).json()["reservation_id"])
    denied = explained(acme, acme.reserve("two", **asked_for).json()["request_id"])
    named = f"The policy 'few mails' ({policy['policy_id']}, priority 0, for tenant:{acme.tenant})"
    assert sentence(allowed, "denied_kinds") == f"{named} does not deny message.email.send."
    assert sentence(allowed, "allowed_kinds") == f"{named} allows message.email.send."
    counted = f"message.email.send per_run at tenant:{acme.tenant} (run-7)"
    assert sentence(allowed, "quotas") == f"0 of 1 used: {counted}."
    assert sentence(allowed, "rate_limit").startswith("0 of 9 used: ")
    assert allowed["caps"] == {"max_tokens": 64}
    assert allowed["action"] == email
    assert allowed["subject"]["dimensions"] == {"run_id": "run-7"}
    assert (denied["reason_code"], outcomes(denied)["quotas"]) == ("ACTION_QUOTA_EXCEEDED", "fail")
    assert policy["policy_id"] in denied["now"]["what_would_allow_it"]


def test_a_question_that_makes_no_sense_any_more_would_be_refused_now(acme: Acme) -> None:
    in_credits = {"unit": "CREDITS", "amount": 1}
    other = acme.server.tenant(allocated=None)
    with acme.server.client_of(other) as client, acme.server.admin() as admin:
        body = acme.question(subject={"tenant": other}, estimate=in_credits)
        denied = client.post("/v1/reservations", json=body)
        assert denied.json()["error"] == "NOT_FOUND"
        tokens = {"unit": "TOKENS", "amount": 1}
        budget = {"tenant_id": other, "scope": f"tenant:{other}", "unit": "TOKENS"}
        admin.post("/v1/admin/budgets", json={**budget, "allocated": tokens})
        [decision] = asked(client, denied.json()["request_id"]).json()["decisions"]
    assert decision["reason_code"] == "BUDGET_NOT_FOUND"
    assert (decision["now"]["decision"], decision["now"]["reason_code"]) == (
        "DENY",
        "UNIT_MISMATCH",
    )
