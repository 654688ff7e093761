"""Answers and records as facts: the words that a scenario may say about them, with their values."""

from typing import Any, assert_never

from runcycles.errors import CyclesProtocolError, DeniedError
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

Facts = dict[str, Any]
"""A word that stands alone has the value True; False and None say that it does not hold."""


def facts_of(op: Any, reply: Decision | Committed | Released | Extended | Recorded) -> Facts:
    """What an answer says."""
    match reply:
        case Allowed():
            return {
                "allowed": True,
                "held": reply.reserved.amount if reply.reserved else None,
                "left": reply.remaining_ttl_ms,
                "affected": len(reply.affected_scopes),
                "budgets": len(reply.balances or ()),
                "http": 200,
            }
        case Denied(detail=detail):
            return {
                "denied": reply.reason_code,
                "at": detail.blocked_by_scope if detail else None,
                "remaining": detail.budget_remaining if detail else None,
                "affected": len(reply.affected_scopes),
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
        "denied": error.reason_code if isinstance(error, DeniedError) else None,
        "refused": error.error_code,
        "at": detail.blocked_by_scope if detail else error.details.get("scope"),
        "remaining": detail.budget_remaining if detail else None,
        "http": error.status,
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


def facts_of_reservation(reservation: Reservation) -> Facts:
    """What a reservation looks like."""
    return {
        "state": reservation.status,
        "held": reservation.estimate.amount,
        "charged": reservation.charged,
        "policy": reservation.overage_policy,
    }
