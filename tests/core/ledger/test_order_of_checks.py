"""`ReasonCode` is written in the order in which the ledger checks."""

from itertools import combinations

import pytest

from runcycles.errors import ErrorCode, ReasonCode
from runcycles.testing import play

TENANT = {
    ReasonCode.TENANT_CLOSED: "tenant acme status CLOSED",
    ReasonCode.TENANT_SUSPENDED: "tenant acme status SUSPENDED",
}
POLICY = {
    ReasonCode.ACTION_KIND_DENIED: "denies llm.completion",
    ReasonCode.ACTION_KIND_NOT_ALLOWED: "allows db.query",
    ReasonCode.ACTION_QUOTA_EXCEEDED: "quotas llm.completion=1/hour",
    ReasonCode.LIMIT_EXCEEDED: "rate 1",
}
"""What the policy says; one reservation was counted before."""
BUDGET = {
    ReasonCode.BUDGET_NOT_FOUND: "remove acme/bot",
    ReasonCode.BUDGET_FROZEN: "freeze acme/bot",
    ReasonCode.BUDGET_CLOSED: "close acme/bot",
    ReasonCode.OVERDRAFT_LIMIT_EXCEEDED: "set acme/bot over-limit",
    ReasonCode.DEBT_OUTSTANDING: "set acme/bot debt 1",
    ReasonCode.BUDGET_EXCEEDED: "set acme/bot allocated 0",
}
OBSTACLES = [*TENANT, *POLICY, *BUDGET]
"""One way into each refusal that the ledger knows, in the order of its checks."""


def a_world_where(*reasons: ReasonCode) -> str:
    """A scenario that was well, until these reasons to refuse came up."""
    said = " ".join(POLICY[reason] for reason in reasons if reason in POLICY)
    lines = "\n".join({**TENANT, **BUDGET}.get(reason, "") for reason in reasons)
    return f"""
        budget   acme/bot          allocated 5
        policy   p1 acme           quotas llm.completion=9/hour rate 9
        reserve  r0 acme/bot 0     -> allowed
        policy   p1 acme           {said}
        {lines}
    """


def cannot_hold_together(first: ReasonCode, second: ReasonCode) -> bool:
    """A tenant or a budget has one status, and a budget that is gone has none."""
    return (
        first is ReasonCode.BUDGET_NOT_FOUND
        or (first, second) == (ReasonCode.TENANT_CLOSED, ReasonCode.TENANT_SUSPENDED)
        or (first, second) == (ReasonCode.BUDGET_FROZEN, ReasonCode.BUDGET_CLOSED)
    )


PAIRS = [pair for pair in combinations(OBSTACLES, 2) if not cannot_hold_together(*pair)]


def test_every_reason_is_checked_and_written_in_the_order_of_the_checks() -> None:
    assert list(ReasonCode) == OBSTACLES


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_where_two_reasons_hold_the_one_that_is_written_first_is_given(
    first: ReasonCode, second: ReasonCode
) -> None:
    play(f"""
        {a_world_where(second, first)}
        decide   acme/bot 1        -> denied {first}
        dry-run  acme/bot 1        -> denied {first}
        reserve  r1 acme/bot 1 observe OBSERVE -> denied {first} observed
    """)


@pytest.mark.parametrize("reason", OBSTACLES)
def test_each_reason_alone_is_given(reason: ReasonCode) -> None:
    given = "refused" if reason is ReasonCode.LIMIT_EXCEEDED else "denied"
    play(f"{a_world_where()}\n reserve r1 acme/bot 1 -> allowed")
    play(f"{a_world_where(reason)}\n reserve r1 acme/bot 1 -> {given} {reason}")


def test_a_frozen_scope_is_named_before_a_closed_one_wherever_they_lie() -> None:
    play("""
        budget   acme              allocated 5 state CLOSED
        budget   acme/bot          allocated 5 state FROZEN
        reserve  r1 acme/bot 1     -> denied BUDGET_FROZEN at acme/bot
    """)


def test_every_reason_but_one_is_also_the_code_of_its_error() -> None:
    codes = {code.value for code in ErrorCode}
    assert [reason for reason in ReasonCode if reason.value not in codes] == [
        ReasonCode.TENANT_SUSPENDED  # 403 FORBIDDEN
    ]
