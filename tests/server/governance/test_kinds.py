"""Kinds of actions: the registry for everybody, and the operator's own kinds."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runcycles.actions import ACTION_KINDS
from runcycles.ledger.state import Snapshot
from runcycles.ops import Refused
from runcycles.types import RiskClass
from runcycles_server.governance.kinds import rules
from runcycles_server.governance.kinds.bodies import KindDeclare
from tests.server.http.conftest import Acme
from tests.support.served import Served

REGISTRY = "/v1/action-kinds"
OWN = "/v1/x-runcycles/action-kinds"
LAUNCH = {"kind": "custom.acme.launch", "risk_class": "high_risk"}


@pytest.fixture
def anybody(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def admin(server: Served) -> Iterator[httpx.Client]:
    with server.admin() as client:
        yield client


def test_anybody_reads_the_whole_registry_page_by_page(anybody: httpx.Client) -> None:
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 25}
    while True:
        page = anybody.get(REGISTRY, params=query).json()
        assert page["version"] == "0.1.26"
        found += page["kinds"]
        if not page["has_more"]:
            break
        query["cursor"] = page["next_cursor"]
    assert [kind["kind"] for kind in found] == list(ACTION_KINDS)
    assert Counter(kind["risk_class"] for kind in found) == {
        "read_only": 12,
        "local_mutation": 2,
        "side_effect": 23,
        "external_side_effect": 19,
        "high_risk": 6,
    }


def test_a_kind_is_described_as_the_protocol_has_it(anybody: httpx.Client) -> None:
    assert anybody.get(f"{REGISTRY}/db.query").json() == {
        "kind": "db.query",
        "risk_class": "read_only",
        "policy_key_spec": {"resource_type": "table"},
        "description": "Read from a SQL database",
        "mcp_tool_prefixes": ["db_query", "query_db", "sql_query", "select_"],
        "deprecated": False,
    }


def test_the_registry_is_filtered(anybody: httpx.Client) -> None:
    page = anybody.get(REGISTRY, params={"risk_class": "local_mutation"}).json()
    assert [kind["kind"] for kind in page["kinds"]] == ["file.write", "memory.write"]
    with_old = anybody.get(REGISTRY, params={"deprecated": True, "limit": 100}).json()
    assert len(with_old["kinds"]) == len(ACTION_KINDS)


@pytest.mark.parametrize("kind", ["email.send", "DB.QUERY", "db", "custom.acme.launch"])
def test_a_kind_that_is_not_registered_is_not_found(anybody: httpx.Client, kind: str) -> None:
    answer = anybody.get(f"{REGISTRY}/{kind}")
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "query", [{"risk_class": "daring"}, {"deprecated": "perhaps"}, {"cursor": "x"}, {"limit": "x"}]
)
def test_a_wrong_list_is_400_and_names_the_parameter(
    anybody: httpx.Client, query: dict[str, str]
) -> None:
    answer = anybody.get(REGISTRY, params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert next(iter(query)) in answer.json()["message"]


@pytest.mark.parametrize("path", [REGISTRY, f"{REGISTRY}/db.query"])
def test_who_has_the_registry_already_is_not_sent_it_again(
    anybody: httpx.Client, path: str
) -> None:
    first = anybody.get(path)
    tag = first.headers["etag"]
    assert "max-age" in first.headers["cache-control"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = anybody.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert "content-type" not in again.headers
        assert "content-length" not in again.headers
    assert anybody.get(path, headers={"If-None-Match": '"other"'}).content == first.content
    assert (
        anybody.get(path, headers={"If-None-Match": tag, "X-Cycles-Trace-Id": "a" * 32}).headers[
            "x-cycles-trace-id"
        ]
        == "a" * 32
    )


def test_another_page_has_another_tag(anybody: httpx.Client) -> None:
    tags = {anybody.get(REGISTRY, params={"limit": n}).headers["etag"] for n in (1, 2)}
    assert len(tags) == 2


# ── the operator's own kinds ────────────────────────────────────────────────────────────────────


def test_a_declared_kind_is_found_in_its_own_list_alone(
    admin: httpx.Client, anybody: httpx.Client
) -> None:
    said = {**LAUNCH, "policy_key_spec": {"host": True, "resource_type": "rocket"}}
    made = admin.post(OWN, json={**said, "description": "Start a rocket"})
    assert made.status_code == 201
    assert made.json() == {
        **said,
        "description": "Start a rocket",
        "mcp_tool_prefixes": [],
        "deprecated": False,
    }
    assert made.json() in admin.get(OWN).json()["kinds"]
    assert anybody.get(f"{REGISTRY}/{LAUNCH['kind']}").status_code == 404


def test_a_declaration_can_be_corrected(admin: httpx.Client) -> None:
    kind = {"kind": "custom.acme.land", "risk_class": "read_only"}
    assert admin.post(OWN, json=kind).status_code == 201
    assert admin.post(OWN, json=kind).status_code == 200
    corrected = admin.post(OWN, json={**kind, "risk_class": "side_effect"})
    assert (corrected.status_code, corrected.json()["risk_class"]) == (200, "side_effect")
    found = [each for each in admin.get(OWN).json()["kinds"] if each["kind"] == kind["kind"]]
    assert found == [corrected.json()]


def test_a_policy_may_name_a_kind_once_it_is_declared(acme: Acme, admin: httpx.Client) -> None:
    kind = "custom.acme.dock"
    policy = {
        "name": "n",
        "scope_pattern": f"tenant:{acme.tenant}",
        "denied_action_kinds": [kind],
    }
    assert acme.client.post("/v1/admin/policies", json=policy).status_code == 400
    admin.post(OWN, json={"kind": kind, "risk_class": "read_only"})
    assert acme.client.post("/v1/admin/policies", json=policy).status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "acme.launch"}, "kind"),
        ({"kind": "custom.launch"}, "kind"),
        ({"kind": "custom..launch"}, "kind"),
        ({"kind": "custom.acme.Launch"}, "kind"),
        ({"kind": "custom.acme.launch."}, "kind"),
        ({"kind": "db.query"}, "kind"),
        ({"kind": "custom.acme." + "x" * 53}, "kind"),
        ({"risk_class": "daring"}, "risk_class"),
        ({"description": "x" * 513}, "description"),
        ({"policy_key_spec": {"colour": True}}, "policy_key_spec.colour"),
        ({"policy_key_spec": {"resource_type": True}}, "policy_key_spec.resource_type"),
        ({"mcp_tool_prefixes": ["launch_"]}, "mcp_tool_prefixes"),
    ],
)
def test_a_wrong_declaration_declares_nothing(
    admin: httpx.Client, body: dict[str, Any], field: str
) -> None:
    before = admin.get(OWN).json()
    answer = admin.post(OWN, json={"kind": "custom.acme.wrong", **LAUNCH, **body})
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert f"{field}: " in answer.json()["message"]
    assert admin.get(OWN).json() == before


def test_so_many_kinds_are_declared_at_most() -> None:
    request = KindDeclare(kind="custom.acme.last", risk_class=RiskClass.READ_ONLY)
    snapshot = Snapshot(0, {("kind", request.kind): None})
    full = rules.declare(snapshot, request, declared=rules.MAX_DECLARED)
    assert isinstance(full.reply, Refused)
    assert full.changes == ()
    (kind,) = rules.declare(snapshot, request, declared=rules.MAX_DECLARED - 1).changes
    known = Snapshot(0, {kind.key: kind})
    again = rules.declare(known, request, declared=rules.MAX_DECLARED)
    assert not isinstance(again.reply, Refused)
