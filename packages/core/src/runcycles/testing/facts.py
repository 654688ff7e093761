"""Answers and records as facts: the words that a scenario may say about them, with their values."""

from typing import Any, assert_never

from runcycles.errors import CyclesProtocolError, DeniedError
from runcycles.ledger.policies import Counter
from runcycles.ledger.state import Account, Reservation
from runcycles.ops import (
    Allowed,
    Committed,
    Decision,
    Denied,
    Extended,
    Record,
    Recorded,
    Released,
)
from runcycles.types import DenyDetail

Facts = dict[str, Any]
"""A word that stands alone has the value True; False and None say that it does not hold."""


def facts_of(op: Any, reply: Decision | Committed | Released | Extended | Recorded) -> Facts:
    """What an answer says."""
    match reply:
        case Allowed():
            return {
                "allowed": True,
                "with-caps": reply.caps is not None,
                "max-tokens": reply.caps.max_tokens if reply.caps else None,
                "held": reply.reserved.amount if reply.reserved else None,
                "left": reply.remaining_ttl_ms,
                "affected": len(reply.affected_scopes),
                "budgets": len(reply.balances or ()),
                "http": 200,
            }
        case Denied(detail=detail):
            return {
                **_facts_of_detail(detail),
                "denied": reply.reason_code,
                "affected": len(reply.affected_scopes),
                "retry": reply.retry_after_ms,
                "http": 200,
            }
        case Committed():
            return {
                "charged": reply.charged.amount,
                "released": reply.released.amount if reply.released else 0,
            }
        case Released():
            return {"released": reply.released.amount}
        case Extended():
            return {"extended": True, "left": reply.remaining_ttl_ms}
        case Recorded():
            assert isinstance(op, Record)
            charged = reply.charged or op.actual
            return {
                "applied": True,
                "charged": charged.amount,
                "capped": reply.charged is not None,
            }
        case _:
            assert_never(reply)


def facts_of_error(error: CyclesProtocolError) -> Facts:
    """What a refusal says; only a question can be denied."""
    detail = error.problem.deny_detail
    return {
        "at": error.details.get("scope"),
        **_facts_of_detail(detail),
        "denied": error.reason_code if isinstance(error, DeniedError) else None,
        "refused": error.error_code,
        "retry": error.retry_after_ms,
        "http": error.status,
    }


def _facts_of_detail(detail: DenyDetail | None) -> Facts:
    """What a denial says about itself."""
    if detail is None:
        return {}
    quota = detail.quota_violation
    return {
        "at": detail.blocked_by_scope,
        "by": detail.blocked_by_policy,
        "remaining": detail.budget_remaining,
        "used": quota.used if quota else None,
        "limit": quota.limit if quota else None,
    }


def facts_of_account(account: Account) -> Facts:
    """What a budget looks like."""
    return {
        "allocated": account.allocated,
        "reserved": account.reserved,
        "spent": account.spent,
        "debt": account.debt,
        "remaining": account.remaining,
        "overdraft": account.overdraft_limit,
        "over-limit": account.blocked_by_overdraft,
        "state": account.status,
    }


def facts_of_counter(counter: Counter) -> Facts:
    """What a quota has counted."""
    return {"used": counter.used, "limit": counter.limit, "by": counter.policy_id}


def facts_of_reservation(reservation: Reservation) -> Facts:
    """What a reservation looks like."""
    return {
        "state": reservation.status,
        "held": reservation.estimate.amount,
        "charged": reservation.charged,
        "policy": reservation.overage_policy,
    }
