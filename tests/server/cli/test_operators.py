"""The operator's commands against a real server: each does what it says, and says what it did."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.cli.conftest import Command
from tests.support.served import ADMIN_KEY, Served, served

FRESH = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        yield running


@pytest.fixture
def operator(server: Served, command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs commands with the admin key of that server."""
    monkeypatch.setenv("CYCLES_BASE_URL", server.base_url)
    monkeypatch.setenv("CYCLES_ADMIN_KEY", ADMIN_KEY)
    return command


@pytest.fixture
def tenant(operator: Command) -> str:
    name = f"cli-{next(FRESH)}"
    assert operator("tenant", "create", name, "--name", "Acme Corp").code == 0
    return name


def found(command: Command, *arguments: str) -> Any:
    """What a command says in JSON."""
    ended = command(*arguments, "--json")
    assert (ended.code, ended.err) == (0, ""), ended.err
    return json.loads(ended.out)


def reserve(server: Served, tenant: str, kind: str = "llm.completion", **body: Any) -> Any:
    """The answer to one reservation of a tenant's agent."""
    with server.client_of(tenant) as client:
        return client.post(
            "/v1/reservations",
            json={
                "idempotency_key": f"r-{next(FRESH)}",
                "subject": {"tenant": tenant, "agent": "writer"},
                "action": {"kind": kind, "name": "a"},
                "estimate": {"unit": "USD_MICROCENTS", "amount": 1_000},
                **body,
            },
        )


# --- tenants ---


def test_a_tenant_lives_from_its_making_to_its_end(operator: Command, tenant: str) -> None:
    assert found(operator, "tenant", "show", tenant)["name"] == "Acme Corp"
    assert (
        found(operator, "tenant", "update", tenant, "--ttl-ms", "5000")[
            "default_reservation_ttl_ms"
        ]
        == 5000
    )
    for step, status in (
        (("suspend",), "SUSPENDED"),
        (("reactivate",), "ACTIVE"),
        (("close", "--yes"), "CLOSED"),
    ):
        assert found(operator, "tenant", step[0], tenant, *step[1:])["status"] == status
    assert tenant in [row["tenant_id"] for row in found(operator, "tenant", "list")["tenants"]]


def test_people_get_a_table_of_tenants(operator: Command, tenant: str) -> None:
    head, row = operator("tenant", "list", "--search", tenant).out.splitlines()
    assert head.split()[:3] == ["tenant", "name", "status"]
    assert row.split()[:4] == [tenant, "Acme", "Corp", "active"]


def test_a_list_of_several_pages_is_shown_whole(operator: Command, server: Served) -> None:
    made = [server.tenant(allocated=None) for _ in range(101)]
    names = [row["tenant_id"] for row in found(operator, "tenant", "list")["tenants"]]
    assert set(made) <= set(names)
    assert len(names) == len(set(names))


# --- keys ---


def test_a_secret_is_shown_once_and_works_until_it_is_revoked(
    operator: Command, server: Served, tenant: str
) -> None:
    made = found(operator, "key", "create", tenant, "-p", "balances:read", "-s", "agent:writer")
    listed = operator("key", "list", "--tenant", tenant)
    assert made["key_secret"] not in listed.out
    assert made["key_id"][:12] in listed.out
    with server.client(**{"X-Cycles-API-Key": made["key_secret"]}) as client:
        assert client.get("/v1/balances", params={"tenant": tenant}).status_code == 200
        ended = operator("key", "revoke", made["key_id"], "--reason", "lost", "--yes")
        assert ended.code == 0
        assert client.get("/v1/balances", params={"tenant": tenant}).status_code == 401


def test_a_key_can_be_given_other_rights(operator: Command, tenant: str) -> None:
    key_id = found(operator, "key", "create", tenant)["key_id"]
    changed = found(operator, "key", "update", key_id, "-p", "balances:read", "--name", "reader")
    assert (changed["name"], changed["permissions"]) == ("reader", ["balances:read"])


# --- budgets ---


def test_a_budget_is_made_funded_frozen_and_thawed(
    operator: Command, server: Served, tenant: str
) -> None:
    scope = f"tenant:{tenant}"
    assert found(operator, "budget", "create", scope, "1usd")["remaining"]["amount"] == 10**8
    said = operator("budget", "fund", scope, "0.50usd", "--reason", "March").out
    assert said == f"{scope} had $1.00 left of $1.00; now $1.50 of $1.50.\n"
    assert found(operator, "budget", "freeze", scope, "--reason", "odd")["status"] == "FROZEN"
    assert reserve(server, tenant).json()["error"] == "BUDGET_FROZEN"
    assert found(operator, "budget", "unfreeze", scope)["status"] == "ACTIVE"
    assert reserve(server, tenant).status_code == 200
    changed = found(operator, "budget", "update", scope, "--overdraft", "2usd")
    assert changed["overdraft_limit"]["amount"] == 2 * 10**8
    assert found(operator, "budget", "show", scope)["reserved"]["amount"] == 1_000
    row = operator("budget", "list", "--tenant", tenant).out.splitlines()[1]
    assert row.split()[:3] == [scope, "$1.49999", "$1.50"]


def test_a_budget_of_nothing_forbids_what_costs_something(
    operator: Command, server: Served, tenant: str
) -> None:
    assert operator("budget", "create", f"tenant:{tenant}", "0usd").code == 0
    assert reserve(server, tenant).json()["error"] == "BUDGET_EXCEEDED"


def test_funding_twice_with_one_key_funds_once(operator: Command, tenant: str) -> None:
    scope = f"tenant:{tenant}"
    operator("budget", "create", scope, "1usd")
    for _ in range(2):
        assert operator("budget", "fund", scope, "1usd", "--key", "march").code == 0
    assert found(operator, "budget", "show", scope)["allocated"]["amount"] == 2 * 10**8


def test_a_tenant_looks_after_its_own_budgets_with_its_own_key(
    command: Command, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = server.tenant(allocated=None)
    monkeypatch.setenv("CYCLES_BASE_URL", server.base_url)
    monkeypatch.setenv("CYCLES_API_KEY", server.key_of(own))
    assert command("budget", "create", f"tenant:{own}", "5usd").code == 0
    assert command("budget", "fund", f"tenant:{own}", "5usd").code == 0
    assert "$10.00" in command("budget", "list").out
    assert command("policy", "create", "careful", "--scope", f"tenant:{own}").code == 0


# --- policies, stops, the audit log ---


def test_a_policy_denies_until_it_is_disabled(
    operator: Command, server: Served, tenant: str
) -> None:
    operator("budget", "create", f"tenant:{tenant}", "1usd")
    made = found(
        operator,
        *("policy", "create", "no mail", "--scope", f"tenant:{tenant}", "--priority", "5"),
        *("--deny", "message.email.send", "--quota", "llm.completion=3/run"),
        *("--risk-quota", "high_risk=1/tenant-day", "--max-tokens", "100"),
    )
    assert made["action_quotas"][0]["window"] == "per_run"
    shown = operator("policy", "list", "--tenant", tenant).out
    for said in ("deny message.email.send", "llm.completion 3/run", "high_risk 1/tenant-day"):
        assert said in shown
    changed = found(operator, "policy", "update", made["policy_id"], "--name", "no post")
    assert (changed["name"], changed["priority"]) == ("no post", 5)
    assert found(operator, "policy", "disable", made["policy_id"])["status"] == "DISABLED"
    assert found(operator, "policy", "enable", made["policy_id"])["status"] == "ACTIVE"


@pytest.mark.parametrize("where", ["--tenant", "--scope", "--all"])
def test_a_stop_holds_until_it_is_lifted(
    operator: Command, server: Served, tenant: str, where: str
) -> None:
    operator("budget", "create", f"tenant:{tenant}", "1usd")
    target = {"--tenant": (tenant,), "--scope": (f"tenant:{tenant}/agent:writer",), "--all": ()}
    said = operator("stop", where, *target[where], "--reason", "a drill").out
    stop_id = said.split()[-1]
    assert "a drill" in operator("lift").out
    assert found(operator, "lift")["stops"][0]["stop_id"] == stop_id
    assert operator("lift", stop_id).out == f"Lifted {stop_id}.\n"
    assert operator("lift").out == "Nothing is stopped.\n"
    assert reserve(server, tenant).status_code == 200
    again = operator("lift", stop_id)
    assert (again.code, again.out) == (1, "")


def test_a_denial_is_explained_and_what_the_operator_did_is_in_the_audit_log(
    operator: Command, server: Served, tenant: str
) -> None:
    operator("budget", "create", f"tenant:{tenant}", "1usd")
    operator(
        *("policy", "create", "no mail", "--scope", f"tenant:{tenant}"),
        *("--deny", "message.email.send"),
    )
    denied = reserve(server, tenant, kind="message.email.send").json()
    assert denied["error"] == "ACTION_KIND_DENIED"
    said = operator("explain", denied["request_id"])
    assert said.code == 0
    for words in ("DENY ACTION_KIND_DENIED", "message.email.send", "no mail", "to allow it:"):
        assert words in said.out
    assert found(operator, "explain", denied["request_id"])["decisions"][0]["decision"] == "DENY"
    allowed = reserve(server, tenant).json()["reservation_id"]
    assert operator("explain", allowed).out.startswith("ALLOW")
    audit = operator("audit", "--tenant", tenant, "--limit", "10").out
    for operation in ("createTenant", "createBudget", "createPolicy"):
        assert operation in audit
    failed = found(operator, "audit", "--tenant", tenant, "--failed")["logs"]
    assert [row["request_id"] for row in failed] == [denied["request_id"]]


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("tenant", "show", "nobody"), 1, "nobody"),
        (("tenant", "create", "A"), 1, "tenant_id"),
        (("tenant", "update", "acme"), 2, "what to change"),
        (("tenant", "close", "acme"), 2, "--yes"),
        (("tenant", "list", "--status", "GONE"), 2, "GONE"),
        (("key", "create", "nobody"), 1, "nobody"),
        (("key", "update", "key_1"), 2, "what to change"),
        (("key", "revoke", "key_1"), 2, "--yes"),
        (("key", "revoke", "key_1", "--yes"), 1, "key_1"),
        (("budget", "create", "tenant:nobody", "5"), 2, "5usd"),
        (("budget", "create", "agent:a", "5usd"), 1, "tenant:<id>"),
        (("budget", "show", "tenant:nobody"), 1, "tenant:nobody"),
        (("budget", "update", "tenant:acme"), 2, "what to change"),
        (("budget", "fund", "tenant:acme", "1usd", "--operation", "reset"), 2, "--yes"),
        (("policy", "list"), 1, "tenant_id"),
        (("policy", "update", "pol_1"), 2, "what to change"),
        (("policy", "create", "x", "--scope", "tenant:acme", "--quota", "a=b"), 2, "a=b"),
        (("policy", "create", "x", "--scope", "tenant:acme", "--quota", "a=1/week"), 2, "week"),
        (("stop", "--reason", "x"), 2, "--tenant"),
        (("stop", "--reason", "x", "--all", "--tenant", "acme"), 2, "one of them"),
        (("stop", "--all"), 2, "--reason"),
        (("lift", "stop_1"), 1, "stop_1"),
        (("explain", "nothing"), 1, "nothing"),
        (("audit", "--since", "yesterday"), 1, "from"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    operator: Command, arguments: tuple[str, ...], code: int, named: str
) -> None:
    ended = operator(*arguments)
    assert ended.code == code
    assert ended.complains_about(named), ended


@pytest.mark.parametrize(
    ("variable", "value", "code", "named"),
    [
        ("CYCLES_BASE_URL", "", 2, "CYCLES_BASE_URL"),
        ("CYCLES_BASE_URL", "embedded:", 2, "CYCLES_BASE_URL"),
        ("CYCLES_BASE_URL", "http://127.0.0.1:1", 1, "127.0.0.1:1"),
        ("CYCLES_ADMIN_KEY", "", 2, "CYCLES_ADMIN_KEY"),
        ("CYCLES_ADMIN_KEY", "wrong", 1, "admin key"),
    ],
)
def test_a_server_or_key_that_is_none_is_said(  # noqa: PLR0917 - a table of what may go wrong
    operator: Command,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    code: int,
    named: str,
) -> None:
    monkeypatch.setenv(variable, value)
    ended = operator("tenant", "list")
    assert ended.code == code
    assert ended.complains_about(named), ended
