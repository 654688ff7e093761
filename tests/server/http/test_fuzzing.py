"""Whatever a client sends, it gets an answer of the protocol, and holds nothing by mistake."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.http.conftest import Acme
from tests.support.served import served

NUMBERS = (
    st.integers()
    | st.floats()
    | st.sampled_from([2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 1e308])
)
TEXTS = st.text() | st.sampled_from(["\x00", "\ud800", "é" * 300, "tenant:x", "a/b", "%", "'\";--"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
PLACES = [
    ("idempotency_key",),
    ("subject",),
    ("subject", "agent"),
    ("subject", "dimensions"),
    ("action",),
    ("action", "kind"),
    ("action", "tags"),
    ("estimate",),
    ("estimate", "amount"),
    ("estimate", "unit"),
    ("ttl_ms",),
    ("grace_period_ms",),
    ("overage_policy",),
    ("dry_run",),
    ("metadata",),
    ("unknown",),
]
LISTS = ["/v1/reservations", "/v1/balances", "/v1/admin/budgets"]
PARAMETERS = [
    "tenant",
    "agent",
    "status",
    "idempotency_key",
    "from",
    "finalized_to",
    "sort_by",
    "sort_dir",
    "include",
    "limit",
    "cursor",
    "unit",
    "utilization_min",
    "has_debt",
    "search",
]


@pytest.fixture(scope="module", params=["memory:", "sqlite"])
def acme(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Acme]:
    """A tenant on a server of its own, over either store."""
    path = tmp_path_factory.mktemp("fuzzing") / "fuzzing.db"
    store = "memory:" if request.param == "memory:" else f"sqlite:///{path}"
    with served(store) as server:
        tenant = server.tenant(allocated=10**12)
        with server.client_of(tenant) as client:
            yield Acme(tenant, client, server)


def at(body: dict[str, Any], place: tuple[str, ...], value: Any) -> bytes:
    """The body with a value at a place, as JSON; what JSON cannot say stays in it all the same."""
    inner = body
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return json.dumps(body).encode()


def reserved(acme: Acme) -> int:
    page = acme.client.get("/v1/balances", params={"tenant": acme.tenant}).json()
    return sum(row["reserved"]["amount"] for row in page["balances"])


@given(place=st.sampled_from(PLACES), value=ANYTHING, number=st.integers(0, 2**64))
def test_a_strange_value_anywhere_is_refused_or_taken_as_it_is(
    acme: Acme, place: tuple[str, ...], value: Any, number: int
) -> None:
    before = reserved(acme)
    content = at(acme.question(f"key-{number}"), place, value)
    answer = acme.client.post("/v1/reservations", content=content)
    assert answer.status_code in (200, 400, 403, 409)
    holds = answer.status_code == 200 and "reservation_id" in answer.json()
    assert holds or reserved(acme) <= before  # leases may run out meanwhile


@given(content=st.binary())
def test_bytes_are_refused(acme: Acme, content: bytes) -> None:
    for path in ("/v1/reservations", "/v1/decide", "/v1/events", "/v1/reservations/x/commit"):
        assert acme.client.post(path, content=content).status_code in (400, 404)


@given(
    path=st.sampled_from(LISTS),
    query=st.dictionaries(st.sampled_from(PARAMETERS), st.text() | st.integers().map(str)),
)
def test_a_strange_query_is_refused_or_finds_something(
    acme: Acme, path: str, query: dict[str, str]
) -> None:
    url = httpx.URL(path).copy_merge_params(query)
    assert acme.client.get(url).status_code in (200, 400, 403)


@given(name=st.text(min_size=1))
def test_a_strange_path_is_refused(acme: Acme, name: str) -> None:
    escaped = "".join(f"%{byte:02X}" for byte in name.encode("utf-8", "surrogatepass"))
    answer = acme.client.get(f"/v1/reservations/{escaped}")
    assert answer.status_code in (400, 404)
