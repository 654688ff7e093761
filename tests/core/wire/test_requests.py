"""Ops as requests: what is sent is what is read, and what is not of the protocol is refused."""

import json
import sys
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcycles import wire
from runcycles.errors import InvalidRequestError
from runcycles.ops import (
    Balances,
    Commit,
    Decide,
    Extend,
    GetReservation,
    ListReservations,
    Op,
    Record,
    Release,
    Reserve,
)
from runcycles.types import Action, Amount, Subject, Unit, tokens
from runcycles.wire.requests import parse_as
from tests.core.wire.samples import READS, WRITES

RESERVE = {
    "idempotency_key": "k",
    "subject": {"tenant": "acme"},
    "action": {"kind": "llm.completion", "name": "gpt-4o"},
    "estimate": {"unit": "TOKENS", "amount": 10},
}
RECORD = {
    "idempotency_key": "k",
    "subject": {"tenant": "acme"},
    "action": {"kind": "llm.completion", "name": "gpt-4o"},
    "actual": {"unit": "TOKENS", "amount": 10},
}


def refusal_of(op_type: type[Op[Any]], body: bytes | str, reservation_id: str = "r") -> Any:
    raw = body.encode() if isinstance(body, str) else body
    with pytest.raises(InvalidRequestError) as refusal:
        wire.parse_body(op_type, raw, reservation_id)
    assert refusal.value.status == 400
    assert refusal.value.error_code == "INVALID_REQUEST"
    return refusal.value


def changed(body: dict[str, Any], path: str, value: str) -> str:
    """A body with raw JSON in one place: `changed(RESERVE, "estimate.amount", "1.0")`."""
    copy = json.loads(json.dumps(body))
    place = copy
    *parents, last = path.split(".")
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = "@here@"
    return json.dumps(copy).replace('"@here@"', value)


# --- what is sent is what is read ---


@pytest.mark.parametrize("op_type", WRITES)
@given(data=st.data())
def test_what_is_sent_in_a_body_is_what_is_read(
    op_type: type[Op[Any]], data: st.DataObject
) -> None:
    op = data.draw(WRITES[op_type])
    body = wire.encode_body(op)
    assert body is not None
    assert wire.parse_body(op_type, body, getattr(op, "reservation_id", "")) == op


@pytest.mark.parametrize("op_type", READS)
@given(data=st.data())
def test_what_is_sent_in_a_query_is_what_is_read(
    op_type: type[Op[Any]], data: st.DataObject
) -> None:
    op = data.draw(READS[op_type])
    path = {"reservation_id": op.reservation_id} if op_type is GetReservation else {}
    assert wire.encode_body(op) is None
    assert wire.parse_query(op_type, wire.query_of(op), **path) == op


def test_every_op_has_an_endpoint_and_no_two_share_one() -> None:
    assert set(wire.ENDPOINTS) == {*WRITES, *READS}
    places = {(endpoint.method, endpoint.path) for endpoint in wire.ENDPOINTS.values()}
    assert len(places) == len(wire.ENDPOINTS)


def test_what_is_absent_is_not_sent() -> None:
    op = Reserve(
        idempotency_key="k",
        subject=Subject(tenant="acme"),
        action=Action(kind="llm.completion", name="gpt-4o"),
        estimate=tokens(10),
    )
    assert json.loads(wire.encode_body(op) or b"") == RESERVE


def test_a_null_inside_metadata_is_somebodys_data_and_stays() -> None:
    op = Extend(reservation_id="r", idempotency_key="k", extend_by_ms=1, metadata={"a": None})
    assert json.loads(wire.encode_body(op) or b"")["metadata"] == {"a": None}


def test_an_id_is_escaped_in_its_path() -> None:
    op = Release(reservation_id="a/b?c ü", idempotency_key="k")
    assert wire.path_of(op) == "/v1/reservations/a%2Fb%3Fc%20%C3%BC/release"
    assert wire.path_of(Balances(tenant="acme")) == "/v1/balances"


@pytest.mark.parametrize("value", [object(), "\ud800", b"\xff"])
def test_what_has_no_form_in_json_is_not_sent(value: Any) -> None:
    op = Extend(reservation_id="r", idempotency_key="k", extend_by_ms=1, metadata={"a": value})
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        wire.encode_body(op)


def test_a_wrong_type_is_sent_as_it_is_for_the_authority_to_name() -> None:
    op = replace(
        Commit(reservation_id="r", idempotency_key="k", actual=tokens(1)),
        actual=Amount(unit=Unit.TOKENS, amount="12"),  # type: ignore[arg-type]  # as said
    )
    body = wire.encode_body(op)
    assert body is not None
    assert refusal_of(Commit, body).details == {"field": "actual.amount"}


# --- what is not of the protocol is refused, and named ---

WRONG = {
    "a number as text": ("estimate.amount", '"12"'),
    "a number with a point": ("estimate.amount", "1.0"),
    "a number with an exponent": ("estimate.amount", "1e3"),
    "a truth as a number": ("estimate.amount", "true"),
    "a number above 64 bits": ("estimate.amount", "9223372036854775808"),
    "a negative number": ("estimate.amount", "-1"),
    "a null number": ("estimate.amount", "null"),
    "no number": ("estimate.amount", "NaN"),
    "infinity": ("estimate.amount", "Infinity"),
    "an unknown unit": ("estimate.unit", '"EUR"'),
    "a unit in lower case": ("estimate.unit", '"tokens"'),
    "a unit by its position": ("estimate.unit", "1"),
    "an unknown key": ("extra", "1"),
    "an unknown key inside": ("estimate.extra", "1"),
    "an unknown level": ("subject.team", '"x"'),
    "an unknown member of the action": ("action.policy", '"x"'),
    "a number as a name": ("action.name", "5"),
    "a blank name": ("action.name", '" \\t"'),
    "a blank kind": ("action.kind", '"  "'),
    "an empty kind": ("action.kind", '""'),
    "a long kind": ("action.kind", json.dumps("k" * 65)),
    "a long name": ("action.name", json.dumps("n" * 257)),
    "too many tags": ("action.tags", json.dumps(["t"] * 11)),
    "an empty key": ("idempotency_key", '""'),
    "a long key": ("idempotency_key", json.dumps("k" * 257)),
    "a colon in a level": ("subject.agent", '"a:b"'),
    "a slash in a level": ("subject.agent", '"a/b"'),
    "a space in a level": ("subject.agent", '"a b"'),
    "a newline after a level": ("subject.agent", '"a\\n"'),
    "an empty level": ("subject.agent", '""'),
    "a letter beyond ASCII in a level": ("subject.agent", '"é"'),
    "a long level": ("subject.agent", json.dumps("a" * 129)),
    "a long dimension": ("subject.dimensions.run", json.dumps("v" * 257)),
    "a short lease": ("ttl_ms", "999"),
    "a long lease": ("ttl_ms", "86400001"),
    "a long grace": ("grace_period_ms", "60001"),
    "a negative grace": ("grace_period_ms", "-1"),
    "an unknown policy": ("overage_policy", '"ALLOW"'),
    "a truth as text": ("dry_run", '"true"'),
    "a truth as a number the other way": ("dry_run", "1"),
    "metadata that is no object": ("metadata", "[]"),
    "metadata with no number": ("metadata.a", "NaN"),
    "metadata with minus infinity": ("metadata.a", "-Infinity"),
    "metadata with too large a number": ("metadata.a", "1e999"),
}


@pytest.mark.parametrize(("path", "value"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(path: str, value: str) -> None:
    field = path.removeprefix("metadata.")  # inside of free maps, the key is all we say
    assert refusal_of(Reserve, changed(RESERVE, path, value)).details == {"field": field}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("estimate.amount", "9223372036854775807"),
        ("estimate.amount", "0"),
        ("subject.agent", json.dumps("a" * 128)),
        ("subject.agent", '"A_b-c.9"'),
        ("action.tags", json.dumps(["t" * 64] * 10)),
        ("action.tags", "[]"),
        ("idempotency_key", json.dumps("k" * 256)),
        ("ttl_ms", "1000"),
        ("ttl_ms", "86400000"),
        ("ttl_ms", "null"),
        ("grace_period_ms", "0"),
        ("grace_period_ms", "60000"),
        ("dry_run", "false"),
        ("metadata", "null"),
        ("metadata.a", '[1.5, {"b": -0.0}]'),
    ],
)
def test_a_value_at_the_end_of_its_range_is_accepted(path: str, value: str) -> None:
    wire.parse_body(Reserve, changed(RESERVE, path, value).encode())


@pytest.mark.parametrize("field", RESERVE)
def test_a_missing_field_is_named(field: str) -> None:
    body = {name: value for name, value in RESERVE.items() if name != field}
    refusal = refusal_of(Reserve, json.dumps(body))
    assert refusal.details == {"field": field}
    assert field in str(refusal)


@pytest.mark.parametrize(
    ("body", "twice"),
    [
        (json.dumps(RESERVE)[:-1] + ',"idempotency_key":"k"}', "idempotency_key"),
        (changed(RESERVE, "estimate", '{"unit":"TOKENS","amount":1,"amount":2}'), "amount"),
        (changed(RESERVE, "metadata", '{"deep":[{"a":1,"b":0,"a":2}]}'), "a"),
    ],
)
def test_a_key_that_stands_twice_is_refused(body: str, twice: str) -> None:
    assert refusal_of(Reserve, body).details == {"field": twice}


@pytest.mark.parametrize("op_type", WRITES)
@given(data=st.data())
def test_no_key_anywhere_may_stand_twice(op_type: type[Op[Any]], data: st.DataObject) -> None:
    body = json.loads(wire.encode_body(data.draw(WRITES[op_type])) or b"")
    place = body
    while isinstance(inner := place[data.draw(st.sampled_from(sorted(place)))], dict) and inner:
        place = inner
    key = data.draw(st.sampled_from(sorted(place)))
    place["@again@"] = place[key]
    again = json.dumps(body, ensure_ascii=False).replace('"@again@"', json.dumps(key))
    refusal_of(op_type, again)


@dataclass(frozen=True, kw_only=True)
class WithDefault:
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    kind: str = "NONE"


def test_a_default_that_is_left_out_does_not_hide_a_key_that_stands_twice() -> None:
    assert parse_as(WithDefault, b'{"name":"a"}') == WithDefault(name="a")
    assert parse_as(WithDefault, b'{"name":"a","kind":"NONE"}') == WithDefault(name="a")
    with pytest.raises(InvalidRequestError, match="twice"):
        parse_as(WithDefault, b'{"name":"a","name":"b"}')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{} {}",
        b"{'a': 1}",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        json.dumps(RESERVE).encode("utf-16"),
        changed(RESERVE, "action.name", '"\\ud800"').encode(),
        changed(RESERVE, "metadata", '{"\\udc00": 1}').encode(),
        changed(RESERVE, "metadata.a", "9" * 5_000).encode(),
        changed(RESERVE, "metadata.a", "[" * 300 + "]" * 300).encode(),
        changed(RESERVE, "metadata.a", "[" * 100_000 + "]" * 100_000).encode(),
        changed(RESERVE, "metadata.a", '{"a":' * 100_000 + "1" + "}" * 100_000).encode(),
    ],
)
def test_what_is_not_json_of_a_sensible_depth_is_refused(body: bytes) -> None:
    refusal_of(Reserve, body)


def test_a_number_with_more_digits_than_python_reads_is_refused() -> None:
    usual = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)  # a process may set its limit below that of our parser
    try:
        refused = refusal_of(Reserve, changed(RESERVE, "metadata.a", "9" * 1_000))
    finally:
        sys.set_int_max_str_digits(usual)
    assert "digits" in str(refused)


def test_a_subject_needs_a_level_dimensions_alone_are_not_enough() -> None:
    body = {**RESERVE, "subject": {"dimensions": {"run_id": "7"}}}
    assert refusal_of(Reserve, json.dumps(body)).details == {"field": "subject"}


def test_a_dimension_is_named_in_small_letters() -> None:
    body = {**RESERVE, "subject": {"tenant": "acme", "dimensions": {"Run": "7"}}}
    refused = refusal_of(Reserve, json.dumps(body))
    assert refused.details == {"field": "subject.dimensions.Run"}


def test_seventeen_dimensions_are_too_many() -> None:
    dimensions = {str(number): "x" for number in range(17)}
    body = {**RESERVE, "subject": {"tenant": "acme", "dimensions": dimensions}}
    assert refusal_of(Reserve, json.dumps(body)).details == {"field": "subject.dimensions"}


@pytest.mark.parametrize(("op_type", "body"), [(Decide, RESERVE), (Record, RECORD)])
def test_every_question_about_a_subject_is_checked_alike(
    op_type: type[Op[Any]], body: dict[str, Any]
) -> None:
    wire.parse_body(op_type, json.dumps(body).encode())
    assert refusal_of(op_type, changed(body, "subject.agent", '"a/b"'))
    assert refusal_of(op_type, changed(body, "action.name", '" "'))


@pytest.mark.parametrize("reservation_id", ["", "r" * 129])
def test_an_id_of_a_wrong_length_is_refused(reservation_id: str) -> None:
    refused = refusal_of(Release, '{"idempotency_key":"k"}', reservation_id)
    assert refused.details == {"field": "reservation_id"}


def test_an_id_in_the_body_is_an_unknown_key() -> None:
    body = '{"idempotency_key":"k","reservation_id":"other"}'
    assert refusal_of(Release, body).details == {"field": "reservation_id"}


def test_usage_is_counted_in_32_bits() -> None:
    body = {"idempotency_key": "k", "actual": RECORD["actual"], "metrics": {"latency_ms": 2**31}}
    assert refusal_of(Commit, json.dumps(body)).details == {"field": "metrics.latency_ms"}


def test_an_op_without_a_body_is_not_read_from_one() -> None:
    with pytest.raises(TypeError, match="Balances has no body"):
        wire.parse_body(Balances, b"{}")


# --- queries ---


def test_what_a_query_does_not_know_is_ignored_and_what_is_blank_counts_as_absent() -> None:
    query = {"tenant": "acme", "agent": " ", "from": "", "page": "7", "limit": "5"}
    op = wire.parse_query(ListReservations, query)
    assert op == ListReservations(tenant="acme", limit=5)


def test_a_window_is_called_from_and_to() -> None:
    op = ListReservations(created_from="2027-01-01T00:00:00Z", created_to="2027-01-02T00:00:00Z")
    assert wire.query_of(op) == {
        "from": "2027-01-01T00:00:00Z",
        "to": "2027-01-02T00:00:00Z",
        "limit": "50",
    }
    assert wire.parse_query(ListReservations, wire.query_of(op)) == op


@pytest.mark.parametrize("name", ["status", "sort_by", "sort_dir"])
def test_a_blank_choice_is_handed_on_to_be_refused(name: str) -> None:
    op = wire.parse_query(ListReservations, {name: " "})
    assert getattr(op, name) == " "


@pytest.mark.parametrize(
    ("op_type", "query", "field"),
    [
        (ListReservations, {"limit": "0"}, "limit"),
        (ListReservations, {"limit": "201"}, "limit"),
        (ListReservations, {"limit": "many"}, "limit"),
        (ListReservations, {"idempotency_key": "k" * 257}, "idempotency_key"),
        (Balances, {"tenant": "acme", "include_children": "perhaps"}, "include_children"),
        (Balances, {"tenant": "acme", "limit": "1.5"}, "limit"),
    ],
)
def test_a_wrong_parameter_is_named(
    op_type: type[Op[Any]], query: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        wire.parse_query(op_type, query)
    assert refusal.value.details == {"field": field}
