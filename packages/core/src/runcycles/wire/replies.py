"""Answers as HTTP response bodies, and response bodies as answers.

Bodies we write are exactly the protocol's: no extra key, no null. Bodies we read may hold keys
we do not know; what must be there, must be there.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast

from pydantic import ValidationError

from runcycles.errors import CyclesTransportError
from runcycles.ops import (
    Allowed,
    BalancePage,
    Balances,
    Commit,
    Committed,
    Decide,
    Denied,
    Extend,
    Extended,
    GetReservation,
    ListReservations,
    Op,
    Record,
    Recorded,
    Release,
    Released,
    ReservationPage,
    ReservationView,
    Reserve,
)
from runcycles.types import CLOSED, Amount, Balance, Caps, DenyDetail, EpochMs, Verdict
from runcycles.wire.adapters import from_json, to_json
from runcycles.wire.balances import Counters, encode_balances
from runcycles.wire.holds import encode_hold, is_plain_hold

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightBody:
    """The body of an answer to decide."""

    __pydantic_config__ = CLOSED

    decision: Verdict
    caps: Caps | None = None
    reason_code: str | None = None
    retry_after_ms: EpochMs | None = None
    affected_scopes: tuple[str, ...] | None = None
    deny_detail: DenyDetail | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionBody:
    """The body of an answer to reserve, live or dry run."""

    __pydantic_config__ = CLOSED

    decision: Verdict
    affected_scopes: tuple[str, ...]
    reservation_id: str | None = None
    expires_at_ms: EpochMs | None = None
    remaining_ttl_ms: EpochMs | None = None
    scope_path: str | None = None
    reserved: Amount | None = None
    caps: Caps | None = None
    balances: tuple[Balance, ...] | None = None
    reason_code: str | None = None
    retry_after_ms: EpochMs | None = None
    deny_detail: DenyDetail | None = None


REPLY_BODIES: Final[dict[type[Op[Any]], type[Any]]] = {
    Reserve: DecisionBody,
    Decide: PreflightBody,
    Commit: Committed,
    Release: Released,
    Extend: Extended,
    Record: Recorded,
    ListReservations: ReservationPage,
    GetReservation: ReservationView,
    Balances: BalancePage,
}


def encode_reply(
    op_type: type[Op[Any]],
    reply: Any,
    *,
    shown: Iterable[Counters] | None = None,
    extended: bool = False,
) -> bytes:
    """The body of an answer.

    `shown` are accounts that it shows as its balances, which saves making balances first;
    `extended` says that the caller understands `deny_detail`.
    """
    if isinstance(reply, Allowed) and is_plain_hold(reply):
        encoded = encode_hold(reply)
    else:
        is_denial = isinstance(reply, Denied)
        body = _denied_body(op_type, reply, extended=extended) if is_denial else reply
        encoded = to_json(type(body), body)
    if shown is None:
        return encoded
    return b'%b,"balances":%b}' % (encoded[:-1], encode_balances(shown))


def _denied_body(
    op_type: type[Op[Any]], denied: Denied, *, extended: bool
) -> PreflightBody | DecisionBody:
    detail = denied.detail if extended else None
    if op_type is Decide:
        return PreflightBody(
            decision=Verdict.DENY,
            reason_code=denied.reason_code,
            retry_after_ms=denied.retry_after_ms,
            affected_scopes=denied.affected_scopes,
            deny_detail=detail,
        )
    return DecisionBody(
        decision=Verdict.DENY,
        affected_scopes=denied.affected_scopes,
        scope_path=denied.scope_path,
        reason_code=denied.reason_code,
        retry_after_ms=denied.retry_after_ms,
        deny_detail=detail,
    )


def with_remaining_ttl(body: bytes, remaining_ttl_ms: int | None) -> bytes:
    """A remembered body with the one field that is of this moment; None leaves it as it is."""
    if remaining_ttl_ms is None:
        return body
    found = json.loads(body)
    found["remaining_ttl_ms"] = remaining_ttl_ms
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def as_observed(op: Op[R], reply: R) -> R:
    """The answer, marked if it only tells: to a live reserve that neither holds nor was an error.

    Other authorities may mean a denial by that, so who carries it has to know whose answer it is.
    """
    if not isinstance(op, Reserve) or op.dry_run or getattr(reply, "reservation_id", None):
        return reply
    return cast("R", replace(cast("Any", reply), observed=True))


def decode_reply(
    op: Op[R],
    status: int,
    body: bytes,
    *,
    request_id: str | None = None,
    trace_id: str | None = None,
) -> R:
    """The answer in a success body.

    Raises:
        CyclesTransportError: where the body is not an answer to this op. Nothing is known then,
            so asking again with the same key is right.
    """
    body_type = REPLY_BODIES[type(op)]
    try:
        found = from_json(body_type, body, extra="ignore")
    except ValidationError as problem:
        raise CyclesTransportError(
            f"the authority answered {status}, but not with a {body_type.__name__}: "
            f"{problem.errors(include_url=False, include_input=False)[0]['msg']}"
        ) from None
    if isinstance(found, DecisionBody | PreflightBody):
        return cast("R", _decision(op, found, request_id=request_id, trace_id=trace_id))
    return cast("R", found)


def _decision(
    op: Any, body: DecisionBody | PreflightBody, *, request_id: str | None, trace_id: str | None
) -> Allowed | Denied:
    scopes = body.affected_scopes or ()
    if body.decision is Verdict.DENY:
        detail = body.deny_detail
        reason = body.reason_code or (detail.reason_code if detail else "DENY")
        return Denied(
            reason_code=reason,
            affected_scopes=scopes,
            scope_path=getattr(body, "scope_path", None),
            requested=op.estimate,
            detail=detail,
            retry_after_ms=body.retry_after_ms,
            request_id=request_id,
            trace_id=trace_id,
        )
    if isinstance(body, PreflightBody):
        return Allowed(decision=body.decision, affected_scopes=scopes, caps=body.caps)
    return Allowed(
        decision=body.decision,
        affected_scopes=scopes,
        reservation_id=body.reservation_id,
        expires_at_ms=body.expires_at_ms,
        remaining_ttl_ms=body.remaining_ttl_ms,
        scope_path=body.scope_path,
        reserved=body.reserved,
        caps=body.caps,
        balances=body.balances,
    )
