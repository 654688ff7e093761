"""The counters of quotas: read by whoever may, and reset by the operator."""

from typing import Any

import httpx
import pytest

from runcycles.ledger.policies import Counter
from runcycles.types import QuotaWindow
from tests.server.governance.policy_asks import MAIL, made
from tests.server.http.conftest import Acme

PATH = "/v1/admin/action-quota-counters"
SEND = {"kind": "message.email.send", "name": "send"}
OUTSIDE = {"risk_class": "external_side_effect", "max_calls": 50, "window": "per_day_tumbling"}


def send(acme: Acme, run: str, agent: str = "bot") -> httpx.Response:
    subject = {**acme.subject(agent=agent), "dimensions": {"run_id": run}}
    return acme.reserve(f"{run}-{agent}", 1, subject=subject, action=SEND)


def sent(acme: Acme, *runs: str, agent: str = "bot") -> None:
    for number, run in enumerate(runs):
        subject = {**acme.subject(agent=agent), "dimensions": {"run_id": run}}
        answer = acme.reserve(f"{agent}-{number}-{run}", 1, subject=subject, action=SEND)
        assert answer.status_code == 200, answer.text


def counters(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["counters"]
    return found


def runs(client: httpx.Client, **query: Any) -> list[tuple[str, int]]:
    return [(row["window_key"], row["used"]) for row in counters(client, **query)]


@pytest.fixture
def acme(acme: Acme) -> Acme:
    """A tenant whose agents may send three mails a run each, and do fifty things a day outside."""
    made(acme, scope="/agent:*", action_quotas=[MAIL], risk_class_quotas=[OUTSIDE])
    return acme


def reader(acme: Acme, permission: str = "action_quotas:read", **body: Any) -> httpx.Client:
    return acme.server.client_of(acme.tenant, permissions=[permission], **body)


def reset(acme: Acme, **body: Any) -> httpx.Response:
    wanted = {
        "tenant_id": acme.tenant,
        "scope": f"tenant:{acme.tenant}/agent:bot",
        "action_kind": "message.email.send",
        "window": "per_run",
        "window_key": "r1",
        **body,
    }
    with acme.server.admin() as admin:
        said = {name: value for name, value in wanted.items() if value is not None}
        return admin.post(f"{PATH}/reset", json=said)


def test_a_counter_says_what_is_used_of_what(acme: Acme) -> None:
    sent(acme, "r1", "r1")
    with acme.server.admin() as admin:
        outside, mails = counters(admin, tenant_id=acme.tenant)
    scope = f"tenant:{acme.tenant}/agent:bot"
    assert mails.pop("policy_id") == outside.pop("policy_id")
    for counter in (mails, outside):
        assert counter.pop("last_incremented_at") < counter.pop("expires_at")
    assert mails == {
        "action_kind": "message.email.send",
        "scope": scope,
        "scope_path": scope,
        "window": "per_run",
        "window_key": "r1",
        "used": 2,
        "limit": 3,
        "remaining": 1,
    }
    assert outside.pop("window_key")
    assert outside == {
        "action_kind": "__risk__",
        "risk_class": "external_side_effect",
        "scope": scope,
        "scope_path": scope,
        "window": "per_day_tumbling",
        "used": 2,
        "limit": 50,
        "remaining": 48,
    }


def test_a_lowered_limit_leaves_nothing_and_not_less(acme: Acme) -> None:
    sent(acme, "r1", "r1", "r1")
    policy = acme.client.get("/v1/admin/policies").json()["policies"][0]
    path = f"/v1/admin/policies/{policy['policy_id']}"
    acme.client.patch(path, json={"action_quotas": [{**MAIL, "max_calls": 2}]})
    assert send(acme, "r1").status_code == 409
    with reader(acme) as client:
        (mails,) = counters(client, run_id="r1")
    assert (mails["used"], mails["remaining"]) == (3, 0)


def test_the_list_is_filtered(acme: Acme) -> None:
    sent(acme, "r1", "r1", "r2")
    sent(acme, "r2", agent="other")
    scope = f"tenant:{acme.tenant}/agent:Bot"
    kind = "message.email.send"
    with reader(acme) as client:
        assert runs(client, action_kind=kind, scope=scope) == [("r1", 2), ("r2", 1)]
        assert runs(client, run_id="r2") == [("r2", 1), ("r2", 1)]
        assert runs(client, run_id="r2", scope=scope) == [("r2", 1)]
        assert len(counters(client, window="per_day_tumbling")) == 2
        risky = counters(client, action_kind="__risk__")
        assert [row["used"] for row in risky] == [3, 1]
        assert counters(client, action_kind="db.query") == []
        assert len(counters(client, scope=f"tenant:{acme.tenant}")) == 5


def test_what_counts_nothing_is_shown_on_demand(acme: Acme) -> None:
    held = send(acme, "r1").json()["reservation_id"]
    acme.client.post(f"/v1/reservations/{held}/release", json={"idempotency_key": "x"})
    with reader(acme) as client:
        assert runs(client, run_id="r1") == []
        assert runs(client, run_id="r1", include_zero=True) == [("r1", 0)]


def test_rate_limits_are_no_quotas(acme: Acme) -> None:
    made(acme, "slowly", priority=9, rate_limits={"max_reservations_per_minute": 50})
    assert acme.reserve().status_code == 200
    with reader(acme) as client:
        assert counters(client) == []


@pytest.mark.parametrize("scope_filter", [(), ("agent:bot",)])
def test_the_list_comes_in_pages(acme: Acme, scope_filter: tuple[str, ...]) -> None:
    at = f"tenant:{acme.tenant}/agent:"
    for agent in ("bot", "other"):
        for number in range(210):
            acme.server.put(
                Counter(
                    tenant=acme.tenant,
                    scope=f"{at}{agent}",
                    counted="db.query",
                    window=QuotaWindow.PER_RUN,
                    bucket=f"{number:03}\nrun",
                    used=1,
                    limit=9,
                    policy_id="pol_1",
                    begun_at_ms=0,
                    expires_at_ms=2**42,
                    last_incremented_at_ms=0,
                )
            )
    with reader(acme, scope_filter=scope_filter) as client:
        found: list[tuple[str, str]] = []
        query: dict[str, Any] = {"limit": 1_000}
        sizes = []
        while True:
            page = client.get(PATH, params=query).json()
            found += [(row["scope"], row["window_key"]) for row in page["counters"]]
            sizes.append(len(page["counters"]))
            assert page["has_more"] == ("next_cursor" in page)
            if not page["has_more"]:
                break
            query["cursor"] = page["next_cursor"]
    agents = ["bot"] if scope_filter else ["bot", "other"]
    expected = [(f"{at}{agent}", f"{n:03}\nrun") for agent in agents for n in range(210)]
    assert found == expected
    assert sizes == ([200, 10] if scope_filter else [200, 200, 20])


def test_a_cursor_works_only_for_the_list_it_came_from(acme: Acme) -> None:
    sent(acme, "r1")
    with reader(acme) as client:
        first = client.get(PATH, params={"limit": 1}).json()
        for cursor, query in ((first["next_cursor"], {"run_id": "r1"}), ("nonsense", {})):
            answer = client.get(PATH, params={"cursor": cursor, **query})
            assert (answer.status_code, answer.json()["details"]["field"]) == (400, "cursor")


@pytest.mark.parametrize(
    "query", [{"window": "per_year"}, {"run_id": "x" * 257}, {"limit": "x"}, {"include_zero": "x"}]
)
def test_a_wrong_list_is_400_and_names_the_parameter(acme: Acme, query: dict[str, str]) -> None:
    with reader(acme) as client:
        answer = client.get(PATH, params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert next(iter(query)) in answer.json()["message"]


def test_the_older_permission_is_enough_and_says_that_it_is_old(acme: Acme) -> None:
    with reader(acme, "balances:read") as client:
        answer = client.get(PATH)
    assert answer.status_code == 200
    assert answer.headers["x-cycles-permission-deprecated"] == "balances:read"
    with reader(acme) as client:
        assert "x-cycles-permission-deprecated" not in client.get(PATH).headers


def test_a_tenant_sees_its_own_counters_whatever_it_asks_for(acme: Acme) -> None:
    sent(acme, "r1")
    stranger = acme.server.tenant(allocated=None)
    with acme.server.client_of(stranger) as client:
        assert counters(client, tenant_id=acme.tenant) == []
    with acme.server.admin() as admin:
        answer = admin.get(PATH)
        assert (answer.status_code, answer.json()["details"]["field"]) == (400, "tenant_id")


# ── reset ───────────────────────────────────────────────────────────────────────────────────────


def test_after_a_reset_the_run_may_go_on(acme: Acme) -> None:
    sent(acme, "r1", "r1", "r1")
    assert send(acme, "r1").status_code == 409
    answer = reset(acme, scope=f"tenant:{acme.tenant}/agent:BOT", reason="a human said so")
    assert answer.status_code == 200
    assert answer.json()["previous_used"] == 3
    assert (answer.json()["counter"]["used"], answer.json()["counter"]["remaining"]) == (0, 3)
    assert send(acme, "r1").status_code == 200


def test_one_counter_is_reset_and_no_other(acme: Acme) -> None:
    sent(acme, "r1", "r2")
    risky = reset(
        acme,
        action_kind="__risk__",
        risk_class="external_side_effect",
        window="per_day_tumbling",
        window_key=_today(acme),
    )
    assert risky.json()["previous_used"] == 2
    with reader(acme) as client:
        assert runs(client) == [("r1", 1), ("r2", 1)]


def _today(acme: Acme) -> str:
    with acme.server.admin() as admin:
        (row,) = counters(admin, tenant_id=acme.tenant, window="per_day_tumbling")
    return str(row["window_key"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"tenant_id": None}, 400, "INVALID_REQUEST"),
        ({"scope": None}, 400, "INVALID_REQUEST"),
        ({"window_key": None}, 400, "INVALID_REQUEST"),
        ({"window": "per_year"}, 400, "INVALID_REQUEST"),
        ({"action_kind": "__risk__"}, 400, "INVALID_REQUEST"),
        ({"risk_class": "high_risk"}, 400, "INVALID_REQUEST"),
        ({"reason": "x" * 513}, 400, "INVALID_REQUEST"),
        ({"colour": "red"}, 400, "INVALID_REQUEST"),
        ({"tenant_id": "nobody"}, 404, "TENANT_NOT_FOUND"),
        ({"window_key": "r2"}, 404, "NOT_FOUND"),
        ({"action_kind": "db.query"}, 404, "NOT_FOUND"),
        ({"window": "per_day_tumbling"}, 404, "NOT_FOUND"),
    ],
)
def test_a_wrong_reset_resets_nothing(
    acme: Acme, body: dict[str, Any], status: int, code: str
) -> None:
    sent(acme, "r1")
    answer = reset(acme, **body)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    with acme.server.admin() as admin:
        assert runs(admin, tenant_id=acme.tenant, run_id="r1") == [("r1", 1)]


def test_a_closed_tenants_counters_stay(acme: Acme) -> None:
    sent(acme, "r1")
    with acme.server.admin() as admin:
        admin.patch(f"/v1/admin/tenants/{acme.tenant}", json={"status": "CLOSED"})
    answer = reset(acme)
    assert (answer.status_code, answer.json()["error"]) == (409, "TENANT_CLOSED")
