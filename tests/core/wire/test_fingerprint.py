"""Two requests are the same where their fingerprints are."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcycles import wire
from runcycles.ops import Commit, Decide, Extend, Op, Release, Reserve
from runcycles.types import Action, OveragePolicy, Subject, Usage, tokens
from tests.core.wire.samples import METADATA, WRITES

RESERVE = Reserve(
    idempotency_key="k",
    subject=Subject(tenant="acme"),
    action=Action(kind="llm.completion", name="gpt-4o"),
    estimate=tokens(10),
)


def of_body(body: str) -> bytes:
    return wire.fingerprint(wire.parse_body(Reserve, body.encode()))


def with_fields(**fields: Any) -> bytes:
    return wire.fingerprint(replace(RESERVE, **fields))


@pytest.mark.parametrize("op_type", WRITES)
@given(data=st.data())
def test_a_request_and_the_same_read_from_the_wire_are_one(
    op_type: type[Op[Any]], data: st.DataObject
) -> None:
    op = data.draw(WRITES[op_type])
    body = wire.encode_body(op) or b""
    again, seen_while_reading = wire.read_body(op_type, body, getattr(op, "reservation_id", ""))
    assert wire.fingerprint(again) == seen_while_reading == wire.fingerprint(op)


@given(metadata=METADATA)
def test_the_order_and_spacing_of_keys_make_no_difference(metadata: Any) -> None:
    body = json.loads(wire.encode_body(replace(RESERVE, metadata=metadata)) or b"")
    assert of_body(json.dumps(body, sort_keys=True, indent=2)) == of_body(json.dumps(body))
    assert of_body(json.dumps(_backwards(body))) == of_body(json.dumps(body))


def _backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _backwards(value[key]) for key in reversed(value)}
    return [_backwards(item) for item in value] if isinstance(value, list) else value


def test_the_order_of_dimensions_makes_no_difference() -> None:
    one = Subject(tenant="acme", dimensions={"a": "1", "b": "2"})
    other = Subject(tenant="acme", dimensions={"b": "2", "a": "1"})
    assert with_fields(subject=one) == with_fields(subject=other)


@given(texts=st.dictionaries(st.text(), st.text(), min_size=2))
def test_the_order_of_texts_makes_no_difference_whatever_they_say(texts: dict[str, str]) -> None:
    backwards = dict(sorted(texts.items(), reverse=True))
    assert with_fields(metadata=backwards) == with_fields(metadata=dict(sorted(texts.items())))


def test_the_order_of_custom_metrics_makes_no_difference() -> None:
    commits = [
        Commit(
            reservation_id="r",
            idempotency_key="k",
            actual=tokens(1),
            metrics=Usage(custom=custom),
        )
        for custom in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    ]
    assert wire.fingerprint(commits[0]) == wire.fingerprint(commits[1])


def test_the_order_of_a_list_makes_a_difference() -> None:
    assert with_fields(metadata={"a": [1, 2]}) != with_fields(metadata={"a": [2, 1]})


def test_a_whole_number_is_one_however_it_is_written() -> None:
    assert with_fields(metadata={"a": 1.0}) == with_fields(metadata={"a": 1})
    assert with_fields(metadata={"a": [{"b": 1e3}]}) == with_fields(metadata={"a": [{"b": 1000}]})
    assert with_fields(metadata={"a": 1.5}) != with_fields(metadata={"a": 1})
    assert with_fields(metadata={"a": True}) != with_fields(metadata={"a": 1})
    assert with_fields(metadata={"a": "1"}) != with_fields(metadata={"a": 1})


@pytest.mark.parametrize(
    ("said", "unsaid"),
    [
        ({"dry_run": False}, {}),
        ({"grace_period_ms": 5_000}, {}),
        ({"dry_run": False, "grace_period_ms": 5_000}, {}),
        ({"dry_run": True, "grace_period_ms": 5_000}, {"dry_run": True}),
        ({"dry_run": False, "grace_period_ms": 0}, {"grace_period_ms": 0}),
    ],
)
def test_two_defaults_may_be_said_or_left_out(said: dict[str, Any], unsaid: dict[str, Any]) -> None:
    assert with_fields(**said) == with_fields(**unsaid)


@pytest.mark.parametrize(
    "fields",
    [
        {"dry_run": True},
        {"grace_period_ms": 0},
        {"ttl_ms": 60_000},
        {"overage_policy": OveragePolicy.ALLOW_IF_AVAILABLE},
        {"estimate": tokens(11)},
        {"subject": Subject(tenant="acme", agent="bot")},
        {"subject": Subject(tenant="acme", dimensions={"a": "1"})},
        {"action": Action(kind="llm.completion", name="gpt-4o", tags=())},
        {"metadata": {"a": None}},
        {"idempotency_key": "other"},
    ],
)
def test_everything_else_that_is_said_makes_another_request(fields: dict[str, Any]) -> None:
    assert with_fields(**fields) != wire.fingerprint(RESERVE)


def test_a_value_that_is_absent_differs_from_one_that_is_empty() -> None:
    assert with_fields(metadata={"a": None}) != with_fields(metadata={"a": ""})


def test_other_ops_have_fingerprints_too() -> None:
    prints = {
        wire.fingerprint(Release(reservation_id="r", idempotency_key="k")),
        wire.fingerprint(Release(reservation_id="r", idempotency_key="k", reason="late")),
        wire.fingerprint(Extend(reservation_id="r", idempotency_key="k", extend_by_ms=1)),
        wire.fingerprint(
            Decide(
                idempotency_key="k",
                subject=RESERVE.subject,
                action=RESERVE.action,
                estimate=RESERVE.estimate,
            )
        ),
    }
    assert len(prints) == 4
    assert {len(found) for found in prints} == {32}
