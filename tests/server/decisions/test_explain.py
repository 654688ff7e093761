"""Why something was decided, as `GET /v1/x-runcycles/explain` tells it."""

from typing import Any

import httpx
import pytest

from runcycles.errors import ReasonCode
from runcycles.ledger.state import Tenant
from runcycles.types import TenantStatus
from runcycles_server.decisions.steps import CHECKS
from tests.server.governance.audit_log import the_log
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


def test_every_reason_of_the_ledger_has_its_step() -> None:
    """A reason without one would be explained as if everything had passed."""
    assert {reason for check in CHECKS for reason in check.reasons} >= set(ReasonCode)
