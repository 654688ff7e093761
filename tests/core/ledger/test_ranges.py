"""The 64-bit range: amounts at its ends are exact, and nothing ever leaves it."""

from typing import Any

import pytest

from runcycles.errors import InvalidRequestError, UnitMismatchError
from runcycles.ledger.state import Account, Budget, Reservation
from runcycles.ops import Commit, Reserve
from runcycles.testing import InMemoryAuthority, play
from runcycles.types import (
    INT64_MAX,
    Action,
    Amount,
    OveragePolicy,
    ReservationStatus,
    Subject,
    Unit,
    tokens,
)

BUDGET = Budget(ledger_id="b", created_at_ms=0, updated_at_ms=0)
ACTION = Action(kind="llm.completion", name="gpt-4o")


def test_the_largest_estimate_and_actual_are_compared_exactly() -> None:
    play(f"""
        budget   acme                     allocated {INT64_MAX - 1}
        reserve  r1 acme {INT64_MAX}      -> denied BUDGET_EXCEEDED remaining {INT64_MAX - 1}
        reserve  r1 acme {INT64_MAX - 1}  -> allowed
        commit   r1 {INT64_MAX}           -> charged {INT64_MAX - 1}
        balance  acme                     -> remaining 0 spent {INT64_MAX - 1} over-limit
    """)


def test_an_overdraft_may_reach_the_end_of_the_range() -> None:
    play(f"""
        budget   acme                     allocated 0 overdraft {INT64_MAX}
        event    acme {INT64_MAX} policy ALLOW_WITH_OVERDRAFT -> applied charged {INT64_MAX}
        balance  acme                     -> debt {INT64_MAX} remaining {-INT64_MAX}
        event    acme 1 policy ALLOW_WITH_OVERDRAFT -> refused OVERDRAFT_LIMIT_EXCEEDED
    """)


def test_a_charge_that_would_leave_the_range_is_refused_and_changes_nothing() -> None:
    play(f"""
        budget       acme/app:big         allocated {INT64_MAX}
        budget       acme                 allocated 100
        reserve      r1 acme/app:big 10   -> allowed
        set          acme/app:big         spent {INT64_MAX - 5} allocated 100
        commit       r1 6                 -> refused INVALID_REQUEST http 400
        balance      acme                 -> reserved 10 spent 0
        reservation  r1                   -> state ACTIVE
        commit       r1 5                 -> charged 5
    """)


def test_a_rest_below_the_range_is_refused_and_changes_nothing() -> None:
    play(f"""
        budget   acme         allocated 0 spent {INT64_MAX} debt 0 overdraft {INT64_MAX}
        event    acme 2 policy ALLOW_WITH_OVERDRAFT   -> refused INVALID_REQUEST http 400
        event    acme 1 policy ALLOW_WITH_OVERDRAFT   -> applied charged 1
        balance  acme         -> remaining {-INT64_MAX - 1} debt 1
    """)


def test_a_number_that_leaves_the_range_names_the_amount() -> None:
    authority = InMemoryAuthority(budgets={"tenant:acme": tokens(INT64_MAX)})
    with pytest.raises(InvalidRequestError, match=r"amount: .*tenant:acme.*64-bit"):
        authority.fund("tenant:acme", tokens(1))


@pytest.mark.parametrize("counter", ["allocated", "spent", "reserved", "debt", "overdraft_limit"])
def test_no_account_holds_a_negative_counter(counter: str) -> None:
    numbers: dict[str, Any] = {"allocated": 10, counter: -1}
    with pytest.raises(AssertionError, match="negative"):
        Account(tenant="acme", scope="tenant:acme", unit=Unit.TOKENS, budget=BUDGET, **numbers)


@pytest.mark.parametrize("counter", ["allocated", "spent", "reserved", "debt", "overdraft_limit"])
def test_no_account_holds_a_counter_beyond_the_range(counter: str) -> None:
    numbers: dict[str, Any] = {"allocated": 10, counter: INT64_MAX + 1}
    with pytest.raises(OverflowError, match="64-bit"):
        Account(tenant="acme", scope="tenant:acme", unit=Unit.TOKENS, budget=BUDGET, **numbers)


@pytest.mark.parametrize(
    "state",
    [
        {"status": ReservationStatus.ACTIVE, "charged": 5},
        {"status": ReservationStatus.COMMITTED, "finalized_at_ms": 1},
        {"status": ReservationStatus.RELEASED},
        {"status": ReservationStatus.EXPIRED, "finalized_at_ms": 1},
    ],
)
def test_a_reservation_cannot_be_in_two_states_at_once(state: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        Reservation(
            reservation_id="r",
            tenant="acme",
            subject=Subject(tenant="acme"),
            action=ACTION,
            estimate=tokens(1),
            affected_scopes=("tenant:acme",),
            budgeted_scopes=("tenant:acme",),
            overage_policy=OveragePolicy.REJECT,
            idempotency_key="k",
            created_at_ms=0,
            expires_at_ms=1,
            grace_ms=0,
            max_extensions=0,
            **state,
        )


# --- units ---


def test_a_unit_mismatch_names_the_first_scope_that_has_budgets_and_their_units_in_order() -> None:
    authority = play("""
        budget   acme/app:a TOKENS           allocated 1
        budget   acme/app:a USD_MICROCENTS   allocated 1
        budget   acme/app:a/bot CREDITS      allocated 1
        reserve  r1 acme/app:a/bot 1 RISK_POINTS  -> refused UNIT_MISMATCH at acme/app:a
    """)
    question = Reserve(
        idempotency_key="k",
        subject=Subject(tenant="acme", app="a", agent="bot"),
        action=ACTION,
        estimate=Amount(unit=Unit.RISK_POINTS, amount=1),
    )
    with pytest.raises(UnitMismatchError) as refusal:
        authority.send(question)
    assert refusal.value.details == {
        "scope": "tenant:acme/app:a",
        "requested_unit": "RISK_POINTS",
        "expected_units": ["USD_MICROCENTS", "TOKENS"],
    }


def test_a_commit_in_another_unit_has_no_details() -> None:
    authority = InMemoryAuthority(budgets={"tenant:acme": tokens(10)})
    held = authority.send(
        Reserve(
            idempotency_key="k",
            subject=Subject(tenant="acme"),
            action=ACTION,
            estimate=tokens(1),
        )
    )
    reservation_id = getattr(held, "reservation_id", "")
    commit = Commit(
        reservation_id=reservation_id,
        idempotency_key="c",
        actual=Amount(unit=Unit.CREDITS, amount=1),
    )
    with pytest.raises(UnitMismatchError) as refusal:
        authority.send(commit)
    assert refusal.value.details == {}


def test_a_unit_mismatch_is_an_error_for_questions_that_hold_nothing_as_well() -> None:
    play("""
        budget   acme CREDITS    allocated 1
        dry-run  acme 1          -> refused UNIT_MISMATCH at acme http 400
        decide   acme 1          -> refused UNIT_MISMATCH at acme http 400
        event    acme 1          -> refused UNIT_MISMATCH at acme http 400
    """)
