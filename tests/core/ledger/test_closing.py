"""The end of a tenant's money: every hold goes back, every budget closes, nothing else moves."""

from dataclasses import replace
from typing import Any

import pytest

from runcycles.ledger.closing import end
from runcycles.ledger.state import Account, Reservation, Snapshot, account_key, reservation_key
from runcycles.ops import Commit, Release
from runcycles.types import BudgetStatus, ReservationStatus, Unit, tokens
from tests.core.ledger.desk import Desk, a_reserve

ACCOUNT = account_key("acme", "tenant:acme", Unit.TOKENS)
HELD = reservation_key("fresh-held")


@pytest.fixture
def desk() -> Desk:
    """A desk where 40 of acme's 100 are held and 25 are spent."""
    desk = Desk()
    desk.ask(a_reserve(40, idempotency_key="held"))
    desk.ask(a_reserve(30, idempotency_key="done"))
    desk.ask(Commit(reservation_id="fresh-done", idempotency_key="c", actual=tokens(25)))
    return desk


def ended(desk: Desk, *keys: Any) -> dict[Any, Any]:
    """What changed; the desk has it from now on."""
    changed = end(Snapshot(desk.clock.now_ms(), desk.store.records), keys)
    desk.keep(*changed.values())
    return changed


def account(desk: Desk) -> Account:
    found: Account = desk.store.records[ACCOUNT]
    return found


def test_a_hold_goes_back_and_its_budget_closes_with_its_figures(desk: Desk) -> None:
    before = account(desk)
    changed = ended(desk, HELD, ACCOUNT)
    assert set(changed) == {HELD, ACCOUNT}
    released: Reservation = changed[HELD]
    assert (released.status, released.release_reason) == (
        ReservationStatus.RELEASED,
        "tenant_closed",
    )
    assert released.finalized_at_ms == desk.clock.now_ms()
    after = account(desk)
    assert (after.status, after.budget.updated_at_ms) == (
        BudgetStatus.CLOSED,
        desk.clock.now_ms(),
    )
    same = replace(before, reserved=0, status=after.status, budget=after.budget)
    assert after == same
    assert after.remaining == 75


def test_several_holds_of_one_budget_all_go_back(desk: Desk) -> None:
    desk.ask(a_reserve(10, idempotency_key="second"))
    ended(desk, HELD, reservation_key("fresh-second"))
    assert (account(desk).reserved, account(desk).status) == (0, BudgetStatus.ACTIVE)


def test_what_is_overdue_is_released_like_the_rest(desk: Desk) -> None:
    desk.clock.advance(10**9)
    assert ended(desk, HELD)[HELD].status is ReservationStatus.RELEASED
    assert account(desk).reserved == 0


def test_a_frozen_budget_closes_too(desk: Desk) -> None:
    desk.keep(replace(account(desk), status=BudgetStatus.FROZEN))
    assert ended(desk, ACCOUNT)[ACCOUNT].status is BudgetStatus.CLOSED


def test_what_has_ended_is_left_as_it_is(desk: Desk) -> None:
    everything = (HELD, reservation_key("fresh-done"), ACCOUNT)
    first = ended(desk, *everything)
    assert reservation_key("fresh-done") not in first
    assert ended(desk, *everything) == {}


def test_what_is_not_there_is_passed_over() -> None:
    nothing = reservation_key("nobody")
    assert end(Snapshot(0, {nothing: None}), (nothing,)) == {}


def test_a_hold_whose_budget_is_gone_is_released_all_the_same(desk: Desk) -> None:
    desk.store.records[ACCOUNT] = None
    assert set(ended(desk, HELD)) == {HELD}


def test_a_release_comes_too_late_for_what_was_ended(desk: Desk) -> None:
    ended(desk, HELD)
    answer = desk.ask(Release(reservation_id="fresh-held", idempotency_key="r"))
    assert answer.code == "RESERVATION_FINALIZED"
