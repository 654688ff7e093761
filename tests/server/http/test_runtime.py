"""The nine runtime operations over HTTP: statuses, headers, and who may still do what."""

from dataclasses import replace
from typing import Any

import pytest

from runcycles.ledger.policies import Policy, PolicyBook, RateLimits
from runcycles.ledger.state import tenant_key
from runcycles.types import TenantStatus
from tests.server.http.conftest import Acme

TOKENS = "TOKENS"


def amount(value: int) -> dict[str, Any]:
    return {"unit": TOKENS, "amount": value}


def put(acme: Acme, status: TenantStatus) -> None:
    found = acme.server.run(acme.server.store.get(tenant_key(acme.tenant)))
    acme.server.put(replace(found, status=status))


def under(acme: Acme, **fields: Any) -> None:
    """Put the tenant under one policy."""
    policy = Policy(
        policy_id="p1",
        name="of the test",
        scope_pattern=f"tenant:{acme.tenant}",
        created_at_ms=0,
        **fields,
    )
    acme.server.put(PolicyBook(tenant=acme.tenant, policies=(policy,)))


def left(acme: Acme) -> int:
    page = acme.client.get("/v1/balances", params={"tenant": acme.tenant}).json()
    return int(page["balances"][0]["remaining"]["amount"])


def test_reserve_commit_and_the_rest_goes_back(acme: Acme) -> None:
    made = acme.reserve(amount=100)
    assert made.status_code == 200
    assert made.json()["decision"] == "ALLOW"
    assert left(acme) == 900
    settled = acme.commit(made.json()["reservation_id"], 60)
    assert settled.json() == {
        "status": "COMMITTED",
        "charged": amount(60),
        "released": amount(40),
        "balances": settled.json()["balances"],
    }
    assert left(acme) == 940


def test_release_gives_everything_back(acme: Acme) -> None:
    path = f"/v1/reservations/{acme.held()}/release"
    answer = acme.client.post(path, json={"idempotency_key": "k", "reason": "not needed"})
    assert (answer.status_code, answer.json()["released"]) == (200, amount(100))
    assert left(acme) == 1_000


def test_extend_moves_the_expiry(acme: Acme) -> None:
    made = acme.reserve().json()
    path = f"/v1/reservations/{made['reservation_id']}/extend"
    answer = acme.client.post(path, json={"idempotency_key": "k", "extend_by_ms": 5_000})
    assert answer.json()["expires_at_ms"] == made["expires_at_ms"] + 5_000


def test_an_event_is_201_and_so_is_its_replay(acme: Acme) -> None:
    first = acme.client.post("/v1/events", json=acme.spend())
    again = acme.client.post("/v1/events", json=acme.spend())
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert left(acme) == 900


def test_decide_holds_nothing(acme: Acme) -> None:
    answer = acme.client.post("/v1/decide", json=acme.question(amount=10))
    assert answer.json()["decision"] == "ALLOW"
    assert left(acme) == 1_000


def test_a_denial_is_an_answer_to_decide_and_to_a_dry_run(acme: Acme) -> None:
    asked = acme.client.post("/v1/decide", json=acme.question("d", 5_000))
    tried = acme.reserve("t", 5_000, dry_run=True)
    for answer in (asked, tried):
        assert answer.status_code == 200
        assert (answer.json()["decision"], answer.json()["reason_code"]) == (
            "DENY",
            "BUDGET_EXCEEDED",
        )
        assert "deny_detail" not in answer.json()


def test_a_client_of_the_extension_is_told_what_would_help(acme: Acme) -> None:
    answer = acme.client.post(
        "/v1/decide", json=acme.question("d", 5_000), headers={"X-Cycles-Extensions": "0.1.26"}
    )
    detail = answer.json()["deny_detail"]
    assert detail["blocked_by_scope"] == f"tenant:{acme.tenant}"
    assert detail["budget_remaining"] == 1_000


def test_the_same_key_twice_holds_once(acme: Acme) -> None:
    first, again = acme.reserve("same").json(), acme.reserve("same").json()
    assert first["reservation_id"] == again["reservation_id"]
    assert left(acme) == 900


def test_the_same_key_for_another_request_is_a_conflict(acme: Acme) -> None:
    acme.reserve("same", 100)
    answer = acme.reserve("same", 101)
    assert (answer.status_code, answer.json()["error"]) == (409, "IDEMPOTENCY_MISMATCH")


def test_a_settled_reservation_stays_settled(acme: Acme) -> None:
    held = acme.held()
    acme.commit(held, key="one")
    answer = acme.commit(held, key="two")
    assert (answer.status_code, answer.json()["error"]) == (409, "RESERVATION_FINALIZED")


def test_one_reservation_and_the_list_say_the_same(acme: Acme) -> None:
    held = acme.held("mine")
    one = acme.client.get(f"/v1/reservations/{held}").json()
    page = acme.client.get("/v1/reservations", params={"idempotency_key": "mine"}).json()
    assert page == {"reservations": [one], "has_more": False}


def test_a_list_comes_in_pages(acme: Acme) -> None:
    held = {acme.held(f"k{n}", 1) for n in range(5)}
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = acme.client.get("/v1/reservations", params=query).json()
        seen += [row["reservation_id"] for row in page["reservations"]]
        if not page["has_more"]:
            break
        query["cursor"] = page["next_cursor"]
    assert (len(seen), set(seen)) == (5, held)


def test_the_operator_lists_reads_and_releases_for_any_tenant(acme: Acme) -> None:
    held = acme.held()
    with acme.server.admin() as admin:
        rows = admin.get("/v1/reservations", params={"tenant": acme.tenant}).json()
        assert [row["reservation_id"] for row in rows["reservations"]] == [held]
        assert admin.get(f"/v1/reservations/{held}").status_code == 200
        released = admin.post(
            f"/v1/reservations/{held}/release", json={"idempotency_key": "k", "reason": "stuck"}
        )
    assert released.status_code == 200
    assert left(acme) == 1_000


def test_the_operator_must_say_whose_reservations(acme: Acme) -> None:
    with acme.server.admin() as admin:
        answer = admin.get("/v1/reservations")
    assert answer.status_code == 400
    assert "tenant" in answer.json()["message"]


def test_a_suspended_tenant_finishes_and_starts_nothing(acme: Acme) -> None:
    running, other = acme.held("one"), acme.held("two")
    put(acme, TenantStatus.SUSPENDED)
    refused = acme.reserve("three")
    assert (refused.status_code, refused.json()["error"]) == (403, "FORBIDDEN")
    asked = acme.client.post("/v1/decide", json=acme.question())
    assert asked.json()["reason_code"] == "TENANT_SUSPENDED"
    assert acme.reserve("four", dry_run=True).json()["reason_code"] == "TENANT_SUSPENDED"
    assert acme.commit(running).status_code == 200
    path = f"/v1/reservations/{other}"
    body = {"idempotency_key": "k", "extend_by_ms": 1_000}
    assert acme.client.post(f"{path}/extend", json=body).status_code == 200
    assert acme.client.post(f"{path}/release", json={"idempotency_key": "r"}).status_code == 200
    assert acme.client.get(path).status_code == 200


def test_the_keys_of_a_closed_tenant_open_nothing(acme: Acme) -> None:
    put(acme, TenantStatus.CLOSED)
    answer = acme.reserve()
    assert (answer.status_code, answer.json()["error"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("query", [{"workspace": "w"}, {"agent": "a"}, {"toolset": "t"}])
def test_any_one_filter_is_enough_for_balances(acme: Acme, query: dict[str, str]) -> None:
    answer = acme.client.get("/v1/balances", params=query)
    assert (answer.status_code, answer.json()["balances"]) == (200, [])


def test_a_denied_kind_is_a_409_that_says_which_policy_denies_it(acme: Acme) -> None:
    under(acme, denied_action_kinds=("llm.completion",))
    answer = acme.reserve()
    assert (answer.status_code, answer.json()["error"]) == (409, "ACTION_KIND_DENIED")
    detail = answer.json()["details"]["deny_detail"]
    assert detail["blocked_by_policy"] == "p1"
    assert left(acme) == 1_000


def test_a_rate_limit_says_after_how_many_seconds_to_ask_again(acme: Acme) -> None:
    under(acme, rate_limits=RateLimits(max_reservations_per_minute=1))
    answers = [acme.reserve(key) for key in ("one", "two", "three")]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(answer.json()["error"] == "LIMIT_EXCEEDED" for answer in refused)
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)


def test_a_200_deny_tells_its_details_to_those_who_speak_the_extension(acme: Acme) -> None:
    """A plain client of the protocol rejects a key that it does not know."""
    under(acme, denied_action_kinds=("llm.completion",))
    keyed = {"kind": "llm.completion", "name": "gpt-4o", "policy_keys": {"host": "api.acme.com"}}
    headers = {"X-Cycles-Extensions": "0.1.26"}

    def decided(key: str, headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
        question = acme.question(key, **body)
        said = acme.client.post("/v1/decide", json=question, headers=headers).json()
        assert said["reason_code"] == "ACTION_KIND_DENIED"
        return dict(said)

    plain = decided("plain")
    assert "deny_detail" not in plain
    detail = decided("header", headers)["deny_detail"]
    assert (detail["reason_code"], detail["blocked_by_policy"]) == ("ACTION_KIND_DENIED", "p1")
    assert decided("keys", action=keyed)["deny_detail"] == detail
    observed = acme.reserve("observed", observe_mode="OBSERVE").json()
    assert observed["deny_detail"] == detail
    assert acme.reserve("dry", dry_run=True).json().get("deny_detail") is None
    assert left(acme) == 1_000
