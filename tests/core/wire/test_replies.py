"""Answers as bodies: what is answered is what arrives, and our bodies hold nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcycles import wire
from runcycles.errors import CyclesTransportError, ReasonCode
from runcycles.ops import (
    Allowed,
    Commit,
    Committed,
    Decide,
    Denied,
    Extended,
    Op,
    Recorded,
    Release,
    Released,
    Reserve,
)
from runcycles.types import Action, Caps, DenyDetail, Subject, Verdict, tokens
from runcycles.wire.replies import REPLY_BODIES
from tests.core.wire.samples import READS, REPLIES, WRITES

SUBJECT = Subject(tenant="acme")
ACTION = Action(kind="llm.completion", name="gpt-4o")
RESERVE = Reserve(idempotency_key="k", subject=SUBJECT, action=ACTION, estimate=tokens(10))
DECIDE = Decide(idempotency_key="k", subject=SUBJECT, action=ACTION, estimate=tokens(10))
COMMIT = Commit(reservation_id="r", idempotency_key="k", actual=tokens(10))
DENIED = Denied(
    reason_code=ReasonCode.BUDGET_EXCEEDED,
    message="too little",
    affected_scopes=("tenant:acme",),
    scope_path="tenant:acme",
    requested=tokens(10),
    detail=DenyDetail(reason_code="BUDGET_EXCEEDED", budget_remaining=-5),
)


def as_json(op_type: type[Op[Any]], reply: Any, *, extended: bool = False) -> Any:
    return json.loads(wire.encode_reply(op_type, reply, extended=extended))


@pytest.mark.parametrize("op_type", REPLIES)
@given(data=st.data())
def test_what_is_answered_is_what_arrives(op_type: type[Op[Any]], data: st.DataObject) -> None:
    op = data.draw((WRITES | READS)[op_type])
    reply = data.draw(REPLIES[op_type])
    if isinstance(reply, Denied):
        scope_path = None if op_type is Decide else reply.scope_path
        expected: Any = replace(reply, requested=op.estimate, scope_path=scope_path)
    else:
        expected = reply
    body = wire.encode_reply(op_type, reply, extended=True)
    assert wire.decode_reply(op, 200, body) == expected


def test_every_op_has_an_answer() -> None:
    assert set(REPLY_BODIES) == set(wire.ENDPOINTS) == set(REPLIES)


def test_what_is_absent_is_not_written() -> None:
    assert as_json(Decide, Allowed(affected_scopes=("tenant:acme",))) == {
        "decision": "ALLOW",
        "affected_scopes": ["tenant:acme"],
    }
    assert as_json(Commit, Committed(charged=tokens(5))) == {
        "status": "COMMITTED",
        "charged": {"unit": "TOKENS", "amount": 5},
    }
    assert as_json(Release, Released(released=tokens(5))) == {
        "status": "RELEASED",
        "released": {"unit": "TOKENS", "amount": 5},
    }


def test_only_callers_that_ask_for_it_are_told_the_details_of_a_denial() -> None:
    plain = {
        "decision": "DENY",
        "affected_scopes": ["tenant:acme"],
        "scope_path": "tenant:acme",
        "reason_code": "BUDGET_EXCEEDED",
    }
    detail = {"reason_code": "BUDGET_EXCEEDED", "budget_remaining": -5}
    assert as_json(Reserve, DENIED) == plain
    assert as_json(Reserve, DENIED, extended=True) == {**plain, "deny_detail": detail}
    preflight = {name: value for name, value in plain.items() if name != "scope_path"}
    assert as_json(Decide, DENIED) == preflight
    assert as_json(Decide, DENIED, extended=True) == {**preflight, "deny_detail": detail}


# --- reading what others write ---


def test_keys_and_nulls_that_we_do_not_know_are_tolerated() -> None:
    body = json.dumps(
        {
            "decision": "ALLOW_WITH_CAPS",
            "affected_scopes": ["tenant:acme"],
            "caps": {"max_tokens": 5, "brand_new": True},
            "reservation_id": "r",
            "scope_path": None,
            "cycles_evidence": {"evidence_id": "e"},
        }
    )
    assert wire.decode_reply(RESERVE, 200, body.encode()) == Allowed(
        decision=Verdict.ALLOW_WITH_CAPS,
        affected_scopes=("tenant:acme",),
        reservation_id="r",
        caps=Caps(max_tokens=5),
    )


@pytest.mark.parametrize("op", [RESERVE, DECIDE])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"decision": "DENY", "affected_scopes": []}, "DENY"),
        ({"decision": "DENY", "affected_scopes": [], "reason_code": "MOON_PHASE"}, "MOON_PHASE"),
        (
            {"decision": "DENY", "affected_scopes": [], "deny_detail": {"reason_code": "QUOTA"}},
            "QUOTA",
        ),
    ],
)
def test_a_denial_is_a_denial_for_whatever_reason(
    op: Reserve | Decide, body: dict[str, Any], reason: str
) -> None:
    denied = wire.decode_reply(
        op, 200, json.dumps(body).encode(), request_id="q", trace_id="t" * 32
    )
    assert isinstance(denied, Denied)
    assert denied.reason_code == reason
    assert (denied.request_id, denied.trace_id) == ("q", "t" * 32)


def test_a_decide_may_be_answered_without_scopes() -> None:
    assert wire.decode_reply(DECIDE, 200, b'{"decision":"ALLOW"}') == Allowed()


@pytest.mark.parametrize(
    "body",
    [b"", b"OK", b"[]", b"{}", b'{"status":"COMMITTED"}', b'{"status":"DONE","charged":5}'],
)
def test_a_success_that_is_no_answer_leaves_open_what_happened(body: bytes) -> None:
    with pytest.raises(CyclesTransportError, match="answered 200, but not with a Committed"):
        wire.decode_reply(COMMIT, 200, body)


# --- replays ---


def test_a_replay_is_the_same_but_for_the_time_that_remains() -> None:
    reply = Extended(expires_at_ms=5_000, remaining_ttl_ms=5_000)
    raw = wire.encode_reply(Commit, reply)
    assert wire.with_remaining_ttl(raw, None) is raw
    assert json.loads(wire.with_remaining_ttl(raw, 7)) == {
        **json.loads(raw),
        "remaining_ttl_ms": 7,
    }
    assert list(json.loads(wire.with_remaining_ttl(raw, 7))) == list(json.loads(raw))


def test_a_replay_leaves_answers_without_a_lease_alone() -> None:
    raw = wire.encode_reply(Commit, Recorded(event_id="e"))
    assert wire.with_remaining_ttl(raw, None) == raw
