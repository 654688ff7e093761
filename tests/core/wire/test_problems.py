"""Refusals as error bodies, and the errors that callers see: one table, without a hole."""

import json
import pickle
from typing import Any

import pytest

from runcycles import errors, wire
from runcycles.errors import (
    CyclesError,
    CyclesProtocolError,
    DeniedError,
    ErrorCode,
    Problem,
    ReasonCode,
    SettlementRefusedError,
    SpendNotRecordedError,
)
from runcycles.ops import (
    Balances,
    Commit,
    Decide,
    Extend,
    GetReservation,
    Op,
    Record,
    Refused,
    Release,
    Reserve,
)
from runcycles.types import Action, DenyDetail, Subject, tokens
from runcycles.wire.codes import rule_of

SUBJECT = Subject(tenant="acme")
ACTION = Action(kind="llm.completion", name="gpt-4o")
RESERVE = Reserve(idempotency_key="k", subject=SUBJECT, action=ACTION, estimate=tokens(10))
DECIDE = Decide(idempotency_key="k", subject=SUBJECT, action=ACTION, estimate=tokens(10))
RECORD = Record(idempotency_key="k", subject=SUBJECT, action=ACTION, actual=tokens(10))
COMMIT = Commit(reservation_id="r", idempotency_key="k", actual=tokens(10))
RELEASE = Release(reservation_id="r", idempotency_key="k")
EXTEND = Extend(reservation_id="r", idempotency_key="k", extend_by_ms=1)
READ = GetReservation(reservation_id="r")
OPS: list[Op[Any]] = [RESERVE, DECIDE, RECORD, COMMIT, RELEASE, EXTEND, READ, Balances()]

REFUSED = Refused(
    code=ErrorCode.BUDGET_EXCEEDED,
    reason=ReasonCode.BUDGET_EXCEEDED,
    message="acme has 5 left – ask for less",
    scope="tenant:acme",
    requested=tokens(10),
    remaining=5,
    suggested_fix="Ask for less.",
)


def problem(code: str, status: int = 409, **fields: Any) -> Problem:
    return Problem(status=status, error_code=code, message="no", **fields)


# --- bodies ---


def test_a_refusal_arrives_with_everything_it_said() -> None:
    sent = wire.problem_of(REFUSED)
    assert sent.status == 409
    body = wire.encode_problem(sent, request_id="q", trace_id="0" * 31 + "1")
    assert json.loads(body) == {
        "error": "BUDGET_EXCEEDED",
        "message": "acme has 5 left – ask for less",
        "request_id": "q",
        "trace_id": "0" * 31 + "1",
        "details": {
            "scope": "tenant:acme",
            "requested": 10,
            "deny_detail": {
                "reason_code": "BUDGET_EXCEEDED",
                "blocked_by_scope": "tenant:acme",
                "suggested_fix": "Ask for less.",
                "budget_remaining": 5,
            },
        },
    }
    received = wire.decode_problem(409, body)
    assert received.deny_detail == sent.deny_detail
    assert received.reason_code == "BUDGET_EXCEEDED"
    assert (received.request_id, received.trace_id) == ("q", "0" * 31 + "1")


def test_a_refusal_without_details_has_none_in_its_body() -> None:
    refused = Refused(code=ErrorCode.RESERVATION_EXPIRED, message="late")
    sent = wire.problem_of(refused)
    body = wire.encode_problem(sent, request_id="q", trace_id="t")
    assert json.loads(body) == {
        "error": "RESERVATION_EXPIRED",
        "message": "late",
        "request_id": "q",
        "trace_id": "t",
    }
    assert (sent.status, sent.reason_code, sent.deny_detail) == (410, None, None)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b"{}", b"[" * 100_000, b'{"error":5,"details":[]}', b"\xff"],
)
def test_an_error_without_a_readable_body_is_still_a_problem(body: bytes) -> None:
    found = wire.decode_problem(502, body, request_id="q", trace_id="t", retry_after_ms=7)
    assert found.error_code == "HTTP_502"
    assert "502" in found.message
    assert (found.request_id, found.trace_id, found.retry_after_ms) == ("q", "t", 7)
    assert found.details == {}


def test_a_denial_detail_that_cannot_be_read_is_left_out() -> None:
    body = b'{"error":"BUDGET_EXCEEDED","details":{"deny_detail":{"budget_remaining":"lots"}}}'
    assert wire.decode_problem(409, body).deny_detail is None


def test_a_denial_detail_may_say_more_than_we_know() -> None:
    detail = b'{"reason_code":"QUOTA","not_known_here":{}}'
    body = b'{"error":"BUDGET_EXCEEDED","details":{"deny_detail":' + detail + b"}}"
    assert wire.decode_problem(409, body).deny_detail == DenyDetail(reason_code="QUOTA")


# --- the table ---


def test_the_table_has_a_row_for_every_code() -> None:
    rows = {code: rule_of(code) for code in ErrorCode}
    assert all(400 <= row.status <= 599 for row in rows.values())


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("INVALID_REQUEST", 400),
        ("UNIT_MISMATCH", 400),
        ("UNAUTHORIZED", 401),
        ("FORBIDDEN", 403),
        ("NOT_FOUND", 404),
        ("BUDGET_EXCEEDED", 409),
        ("BUDGET_FROZEN", 409),
        ("BUDGET_CLOSED", 409),
        ("OVERDRAFT_LIMIT_EXCEEDED", 409),
        ("DEBT_OUTSTANDING", 409),
        ("RESERVATION_FINALIZED", 409),
        ("IDEMPOTENCY_MISMATCH", 409),
        ("MAX_EXTENSIONS_EXCEEDED", 409),
        ("TENANT_CLOSED", 409),
        ("RESERVATION_EXPIRED", 410),
        ("LIMIT_EXCEEDED", 429),
        ("INTERNAL_ERROR", 500),
        ("ACTION_QUOTA_EXCEEDED", 409),
        ("ACTION_KIND_NOT_ALLOWED", 409),
        ("ACTION_KIND_DENIED", 409),
    ],
)
def test_a_code_of_the_protocol_has_its_status(code: str, status: int) -> None:
    assert rule_of(ErrorCode(code)).status == status


@pytest.mark.parametrize("op", OPS, ids=lambda op: type(op).__name__)
@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_is_an_error_for_every_op(code: ErrorCode, op: Op[Any]) -> None:
    error = wire.error_for(op, problem(code, rule_of(code).status))
    assert isinstance(error, CyclesProtocolError)
    assert error.error_code == code
    assert not isinstance(error, DeniedError) or isinstance(op, Reserve | Decide)
    assert not isinstance(error, SettlementRefusedError) or isinstance(
        op, Commit | Release | Record
    )


@pytest.mark.parametrize(
    "reason", [reason for reason in ReasonCode if reason is not ReasonCode.LIMIT_EXCEEDED]
)
def test_every_reason_is_a_denial_of_a_question_with_a_class_of_its_own_kind(
    reason: ReasonCode,
) -> None:
    codes = {"TENANT_SUSPENDED": "FORBIDDEN", "BUDGET_NOT_FOUND": "NOT_FOUND"}
    code = codes.get(reason, reason)
    error = wire.error_for(RESERVE, problem(code, reason_code=reason))
    assert isinstance(error, DeniedError)
    assert type(error) is not DeniedError


def test_a_rate_limit_is_no_denial_since_the_same_question_may_be_asked_again_later() -> None:
    error = wire.error_for(
        RESERVE, problem("LIMIT_EXCEEDED", reason_code=ReasonCode.LIMIT_EXCEEDED)
    )
    assert isinstance(error, errors.RateLimitedError)
    assert error.retryable


@pytest.mark.parametrize(
    "code",
    [
        "BUDGET_EXCEEDED",
        "OVERDRAFT_LIMIT_EXCEEDED",
        "TENANT_CLOSED",
        "BUDGET_FROZEN",
        "BUDGET_CLOSED",
    ],
)
def test_a_settlement_that_was_understood_and_refused_says_so(code: str) -> None:
    for op, reservation_id, actual in ((COMMIT, "r", 10), (RELEASE, "r", None), (RECORD, None, 10)):
        error = wire.error_for(op, problem(code))
        assert isinstance(error, SettlementRefusedError)
        assert (error.reservation_id, error.actual) == (reservation_id, actual)
    assert type(wire.error_for(EXTEND, problem(code))) is CyclesProtocolError


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, errors.InvalidRequestError),
        (401, errors.UnauthorizedError),
        (403, errors.ForbiddenError),
        (404, CyclesProtocolError),
        (410, errors.ReservationExpiredError),
        (418, CyclesProtocolError),
        (429, errors.RateLimitedError),
        (500, errors.InternalServerError),
        (503, errors.InternalServerError),
    ],
)
def test_a_code_nobody_knows_is_read_by_its_status(
    status: int, expected: type[CyclesProtocolError]
) -> None:
    assert type(wire.error_for(COMMIT, problem("BRAND_NEW", status))) is expected


def test_an_error_without_an_op_is_named_by_its_code_alone() -> None:
    assert type(wire.error_for(None, problem("BUDGET_FROZEN"))) is CyclesProtocolError
    assert type(wire.error_for(None, problem("FORBIDDEN"))) is errors.ForbiddenError


def test_only_what_may_be_answered_otherwise_later_is_worth_asking_again() -> None:
    retryable = {code for code in ErrorCode if wire.error_for(COMMIT, problem(code)).retryable}
    assert retryable == {ErrorCode.LIMIT_EXCEEDED, ErrorCode.INTERNAL_ERROR}


# --- the tree in the docstring, and the classes ---


def documented_tree() -> dict[str, str]:
    """Each class of the docstring with its parent."""
    assert errors.__doc__ is not None
    tree = errors.__doc__.split("```")[1].strip("\n").splitlines()
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in tree:
        drawn = len(line) - len(line.lstrip("│├└─ "))
        name = line[drawn:].split()[0]
        depth = drawn // 4
        above[depth:] = [name]
        parents[name] = above[depth - 1] if depth else "Exception"
    return parents


def defined_tree() -> dict[str, str]:
    return {
        found.__name__: found.__bases__[0].__name__
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, CyclesError)
    }


def test_the_documented_tree_of_errors_is_the_real_one() -> None:
    assert documented_tree() == defined_tree()


def test_every_error_of_the_protocol_says_the_words_of_the_authority() -> None:
    for found in vars(errors).values():
        if isinstance(found, type) and issubclass(found, CyclesProtocolError):
            if found is SettlementRefusedError:
                error: CyclesProtocolError = SettlementRefusedError(
                    problem("BUDGET_EXCEEDED"), reservation_id="r", actual=1
                )
            else:
                error = found(problem("BUDGET_EXCEEDED"))
            assert str(error) == "BUDGET_EXCEEDED: no"
            assert found.__doc__


def test_an_error_survives_a_process_boundary() -> None:
    denied = wire.error_for(RESERVE, wire.problem_of(REFUSED))
    copy = pickle.loads(pickle.dumps(denied))
    assert type(copy) is errors.BudgetExceededError
    assert (copy.problem, copy.scope, copy.remaining) == (denied.problem, "tenant:acme", 5)
    refused = SettlementRefusedError(
        problem("BUDGET_EXCEEDED"), reservation_id="r", actual=1, result=["kept"]
    )
    again = pickle.loads(pickle.dumps(refused))
    assert (again.reservation_id, again.actual, again.result) == ("r", 1, ["kept"])
    lost = SpendNotRecordedError("no answer", reservation_id="r", actual=1, result=["kept"])
    found = pickle.loads(pickle.dumps(lost))
    assert (str(found), found.reservation_id, found.actual) == ("no answer", "r", 1)
    assert found.result == ["kept"]


def test_a_denial_tells_where_and_what_would_help() -> None:
    error = wire.error_for(RESERVE, wire.problem_of(REFUSED))
    assert isinstance(error, errors.BudgetExceededError)
    assert error.scope == "tenant:acme"
    assert error.suggested_fix == "Ask for less."
    assert (error.requested, error.remaining) == (10, 5)


def test_a_denial_from_an_authority_that_says_little_tells_what_it_can() -> None:
    error = errors.BudgetExceededError(problem("BUDGET_EXCEEDED", details={"scope": "tenant:a"}))
    assert error.scope == "tenant:a"
    assert (error.suggested_fix, error.requested, error.remaining) == (None, None, None)
    assert errors.ActionDeniedError(problem("ACTION_KIND_DENIED")).policy_id is None


def test_a_denied_action_names_its_policy() -> None:
    detail = DenyDetail(reason_code="ACTION_KIND_DENIED", blocked_by_policy="no-mail")
    error = errors.ActionDeniedError(problem("ACTION_KIND_DENIED", deny_detail=detail))
    assert error.policy_id == "no-mail"
