"""Wrong input of every kind: the protocol's status and code, the field by name, nothing changed."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.server.http.conftest import Acme

Ask = Callable[[Acme], httpx.Response]


@pytest.fixture
def untouched(acme: Acme) -> Iterator[None]:
    acme.held("before")
    before = acme.ledger()
    yield
    assert acme.ledger() == before


def raw(body: str | bytes, path: str = "/v1/reservations") -> Ask:
    content = body.encode() if isinstance(body, str) else body
    headers = {"content-type": "application/json"}
    return lambda acme: acme.client.post(path, content=content, headers=headers)


def reserving(**changes: Any) -> Ask:
    return lambda acme: acme.client.post(
        "/v1/reservations", json={**acme.question("new", 10), **changes}
    )


def without(field: str) -> Ask:
    def ask(acme: Acme) -> httpx.Response:
        body = acme.question("new", 10)
        del body[field]
        return acme.client.post("/v1/reservations", json=body)

    return ask


def estimating(text: str) -> Ask:
    """A reserve whose estimate is this JSON text, which Python could not write itself."""

    def ask(acme: Acme) -> httpx.Response:
        body = json.dumps(acme.question("new", "AMOUNT")).replace('"AMOUNT"', text)
        return raw(body)(acme)

    return ask


def reserving_text(metadata: str) -> Ask:
    """A reserve whose metadata is this JSON text."""

    def ask(acme: Acme) -> httpx.Response:
        return raw(json.dumps(acme.question("new", metadata="TEXT")).replace('"TEXT"', metadata))(
            acme
        )

    return ask


def settling(action: str, **changes: Any) -> Ask:
    def ask(acme: Acme) -> httpx.Response:
        row = acme.client.get("/v1/reservations").json()["reservations"][0]
        bodies: dict[str, dict[str, Any]] = {
            "commit": {"actual": {"unit": "TOKENS", "amount": 1}},
            "release": {},
            "extend": {"extend_by_ms": 1_000},
        }
        return acme.client.post(
            f"/v1/reservations/{row['reservation_id']}/{action}",
            json={"idempotency_key": "settle", **bodies[action], **changes},
        )

    return ask


def reading(path: str, **query: str) -> Ask:
    return lambda acme: acme.client.get(path, params=query)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def keyed(**body: Any) -> dict[str, Any]:
    return {"idempotency_key": "k", **body}


LONG = "x" * 129
WRONG: dict[str, tuple[Ask, str]] = {
    "no JSON": (raw("estimate=5"), "JSON"),
    "half of a JSON object": (raw('{"idempotency_key":'), "JSON"),
    "nothing": (raw(""), "JSON"),
    "text after the object": (raw('{"idempotency_key": "a"} x'), "JSON"),
    "bytes that are no UTF-8": (raw(b'{"idempotency_key": "\xff"}'), "JSON"),
    "an array": (raw("[]"), ""),
    "null": (raw("null"), ""),
    "not a number": (estimating("NaN"), "estimate.amount"),
    "infinity": (estimating("Infinity"), "estimate.amount"),
    "deep nesting": (raw('{"metadata":' + '{"a":' * 50_000 + "1" + "}" * 50_001), ""),
    "deep arrays": (raw("[" * 100_000), ""),
    "a key twice": (estimating('1}, "estimate": {"unit": "TOKENS", "amount": 2'), "estimate"),
    "infinity in metadata": (reserving_text('{"a": [1e999]}'), "a"),
    "a key twice, further in": (
        estimating('1, "amount": 2'),
        "amount",
    ),
    "an unknown field": (reserving(budget=1), "budget"),
    "an unknown field, further in": (
        reserving(action={"kind": "a", "name": "b", "cost": 1}),
        "action.cost",
    ),
    "a missing key": (without("idempotency_key"), "idempotency_key"),
    "a missing subject": (without("subject"), "subject"),
    "a missing estimate": (without("estimate"), "estimate"),
    "a null estimate": (reserving(estimate=None), "estimate"),
    "an amount in quotes": (estimating('"5"'), "estimate.amount"),
    "a fraction": (estimating("1.5"), "estimate.amount"),
    "a whole fraction": (estimating("1.0"), "estimate.amount"),
    "a negative amount": (estimating("-1"), "estimate.amount"),
    "an amount above int64": (estimating("9223372036854775808"), "estimate.amount"),
    "an amount of 5,000 digits": (estimating("9" * 5_000), ""),
    "true for an amount": (estimating("true"), "estimate.amount"),
    "an unknown unit": (reserving(estimate={"unit": "EUROS", "amount": 1}), "estimate.unit"),
    "an unknown overage policy": (reserving(overage_policy="MAYBE"), "overage_policy"),
    "an empty key": (reserving(idempotency_key=""), "idempotency_key"),
    "a key of 257 characters": (reserving(idempotency_key="k" * 257), "idempotency_key"),
    "a number for a key": (reserving(idempotency_key=5), "idempotency_key"),
    "a subject of dimensions alone": (reserving(subject={"dimensions": {"a": "b"}}), "subject"),
    "an agent of 129 characters": (reserving(subject={"agent": LONG}), "subject.agent"),
    "a slash in an agent": (reserving(subject={"agent": "a/b"}), "subject.agent"),
    "an empty agent": (reserving(subject={"agent": ""}), "subject.agent"),
    "too many dimensions": (
        reserving(subject={"agent": "a", "dimensions": {f"d{n}": "" for n in range(17)}}),
        "subject.dimensions",
    ),
    "a blank action": (reserving(action={"kind": " ", "name": "b"}), "action.kind"),
    "a ttl below a second": (reserving(ttl_ms=999), "ttl_ms"),
    "a ttl above a day": (reserving(ttl_ms=86_400_001), "ttl_ms"),
    "a grace above a minute": (reserving(grace_period_ms=60_001), "grace_period_ms"),
    "yes for dry_run": (reserving(dry_run="yes"), "dry_run"),
    "text for metadata": (reserving(metadata="text"), "metadata"),
    "an amount above int64 on commit": (
        settling("commit", actual={"unit": "TOKENS", "amount": 2**63}),
        "actual.amount",
    ),
    "negative metrics": (settling("commit", metrics={"tokens_input": -1}), "metrics.tokens_input"),
    "an unknown metric": (settling("commit", metrics={"tokens": 1}), "metrics.tokens"),
    "a release with a long reason": (settling("release", reason="x" * 257), "reason"),
    "an extension by nothing": (settling("extend", extend_by_ms=0), "extend_by_ms"),
    "an extension above a day": (settling("extend", extend_by_ms=86_400_001), "extend_by_ms"),
    "a reservation id of 129 characters": (
        raw('{"idempotency_key": "a"}', f"/v1/reservations/{LONG}/release"),
        "reservation_id",
    ),
    "a page of nothing": (reading("/v1/reservations", limit="0"), "limit"),
    "a page of 201": (reading("/v1/reservations", limit="201"), "limit"),
    "a page of words": (reading("/v1/reservations", limit="many"), "limit"),
    "an unknown status": (reading("/v1/reservations", status="LOST"), "status"),
    "an unknown order": (reading("/v1/reservations", sort_by="colour"), "sort_by"),
    "an unknown direction": (reading("/v1/reservations", sort_dir="up"), "sort_dir"),
    "a window of words": (reading("/v1/reservations", **{"from": "yesterday"}), "from"),
    "a window backwards": (
        reading(
            "/v1/reservations", **{"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
        ),
        "from",
    ),
    "a cursor of ours by no means": (reading("/v1/reservations", cursor="%%%"), "cursor"),
    "a long id in a read": (reading(f"/v1/reservations/{LONG}"), "reservation_id"),
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("ask", "named"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_400_and_names_the_field(acme: Acme, ask: Ask, named: str) -> None:
    answer = ask(acme)
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_REQUEST"), answer.text
    assert named in answer.json()["message"]


@pytest.mark.usefixtures("untouched")
def test_a_unit_without_a_budget_is_a_unit_mismatch(acme: Acme) -> None:
    answer = acme.reserve("new", estimate={"unit": "CREDITS", "amount": 1})
    assert (answer.status_code, answer.json()["error"]) == (400, "UNIT_MISMATCH")
    assert answer.json()["details"]["expected_units"] == ["TOKENS"]


@pytest.mark.usefixtures("untouched")
def test_more_than_is_left_is_refused_by_the_scope_that_lacks_it(acme: Acme) -> None:
    answer = acme.reserve("new", 2**63 - 1)
    assert (answer.status_code, answer.json()["error"]) == (409, "BUDGET_EXCEEDED")
    assert f"tenant:{acme.tenant}" in answer.json()["message"]


@pytest.mark.usefixtures("untouched")
def test_an_unknown_reservation_is_404(acme: Acme) -> None:
    actual = {"unit": "TOKENS", "amount": 1}
    asked = (
        acme.client.post("/v1/reservations/nope/commit", json=keyed(actual=actual)),
        acme.client.post("/v1/reservations/nope/release", json=keyed()),
        acme.client.post("/v1/reservations/nope/extend", json=keyed(extend_by_ms=1)),
        acme.client.get("/v1/reservations/nope"),
    )
    assert {refused(answer) for answer in asked} == {(404, "NOT_FOUND")}


@pytest.mark.usefixtures("untouched")
def test_another_tenants_name_is_403_wherever_it_stands(acme: Acme) -> None:
    other = acme.server.tenant()
    asked = (
        acme.reserve("new", subject={"tenant": other}),
        acme.client.post("/v1/decide", json=acme.question(subject={"tenant": other})),
        acme.client.post("/v1/events", json=acme.spend(subject={"tenant": other})),
        acme.client.get("/v1/balances", params={"tenant": other}),
        acme.client.get("/v1/reservations", params={"tenant": other}),
    )
    assert {refused(answer) for answer in asked} == {(403, "FORBIDDEN")}


@pytest.mark.usefixtures("untouched")
def test_another_tenants_reservation_is_403(acme: Acme) -> None:
    held = acme.client.get("/v1/reservations").json()["reservations"][0]["reservation_id"]
    with acme.server.client_of(acme.server.tenant()) as stranger:
        path = f"/v1/reservations/{held}"
        actual = {"unit": "TOKENS", "amount": 1}
        asked = (
            stranger.get(path),
            stranger.post(f"{path}/commit", json=keyed(actual=actual)),
            stranger.post(f"{path}/release", json=keyed()),
            stranger.post(f"{path}/extend", json=keyed(extend_by_ms=1)),
        )
    assert {refused(answer) for answer in asked} == {(403, "FORBIDDEN")}


@pytest.mark.usefixtures("untouched")
def test_the_header_key_must_be_the_bodys(acme: Acme) -> None:
    answer = acme.client.post(
        "/v1/reservations", json=acme.question("one"), headers={"X-Idempotency-Key": "two"}
    )
    assert answer.status_code == 400
    assert "X-Idempotency-Key header does not match" in answer.json()["message"]


def test_the_header_key_may_repeat_the_bodys(acme: Acme) -> None:
    answer = acme.client.post(
        "/v1/reservations", json=acme.question("one"), headers={"X-Idempotency-Key": "one"}
    )
    assert answer.status_code == 200


def test_a_key_that_is_no_latin_may_stand_in_the_header_too(acme: Acme) -> None:
    answer = acme.client.post(
        "/v1/reservations",
        json=acme.question("schlüssel"),
        headers={b"X-Idempotency-Key": "schlüssel".encode()},
    )
    assert answer.status_code == 200


@pytest.mark.usefixtures("untouched")
def test_an_unknown_query_parameter_is_ignored(acme: Acme) -> None:
    answer = acme.client.get("/v1/reservations", params={"colour": "red"})
    assert answer.status_code == 200
