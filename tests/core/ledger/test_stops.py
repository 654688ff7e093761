"""The emergency stop: nothing new begins, what runs may end."""

import pytest

from runcycles.errors import BudgetFrozenError, SettlementRefusedError
from runcycles.testing import InMemoryAuthority, play
from runcycles.types import tokens
from tests.core.ledger.desk import a_record, a_reserve


def test_a_stop_lets_nothing_new_begin_and_everything_that_runs_end() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme/bot 10        -> allowed
        reserve  r2 acme/bot 10        -> allowed
        stop     s1 acme
        reserve  r3 acme/bot 10        -> denied BUDGET_FROZEN at acme http 409
        dry-run  acme/bot 10           -> denied BUDGET_FROZEN at acme http 200
        decide   acme/bot 10           -> denied BUDGET_FROZEN at acme http 200
        event    acme/bot 10           -> refused BUDGET_FROZEN at acme http 409
        extend   r1 1s                 -> extended
        commit   r1 10                 -> charged 10
        release  r2                    -> released 10
        balance  acme                  -> reserved 0 spent 10
        lift     s1
        reserve  r3 acme/bot 10        -> allowed
        event    acme/bot 10           -> applied
    """)


@pytest.mark.parametrize(
    ("target", "stopped", "goes_on"),
    [
        ("everything", "acme acme/bot beta", ""),
        ("acme", "acme acme/bot acme/workspace:dev/bot", "beta beta/bot"),
        ("acme/bot", "acme/bot acme/bot/toolset:x", "acme acme/other acme/workspace:dev/bot"),
        ("ACME/Bot", "acme/bot", "acme"),
    ],
)
def test_a_stop_covers_its_target_and_all_below(target: str, stopped: str, goes_on: str) -> None:
    asked = [(subject, "denied BUDGET_FROZEN") for subject in stopped.split()]
    asked += [(subject, "allowed") for subject in goes_on.split()]
    lines = "\n".join(f"decide {subject} 1 -> {answer}" for subject, answer in asked)
    play(f"""
        budget   acme                  allocated 100
        budget   beta                  allocated 100
        stop     s1 {target}
        {lines}
    """)


def test_a_stop_covers_tenants_and_budgets_that_come_later() -> None:
    play("""
        stop     s1 everything
        tenant   later
        budget   later                 allocated 100
        reserve  r1 later 1            -> denied BUDGET_FROZEN at later
        balance  later                 -> state ACTIVE
    """)


def test_who_names_no_tenant_is_stopped_with_its_keys_tenant() -> None:
    play("""
        budget   agent:bot             allocated 100
        stop     s1 acme
        reserve  r1 agent:bot 1        -> denied BUDGET_FROZEN at acme
    """)


def test_of_several_stops_each_has_to_be_lifted() -> None:
    play("""
        budget   acme                  allocated 100
        stop     s1 acme
        stop     s2 everything
        lift     s1
        reserve  r1 acme 1             -> denied BUDGET_FROZEN
        lift     s2
        reserve  r1 acme 1             -> allowed
    """)


def test_a_stop_is_named_after_the_tenants_own_state_and_before_any_policy() -> None:
    play("""
        budget   acme                  allocated 100
        policy   p1 acme               denies db.write
        stop     s1 acme
        decide   acme 1 kind db.write  -> denied BUDGET_FROZEN
        decide   acme 1 kind custom.x  -> denied BUDGET_FROZEN
        tenant   acme                  status SUSPENDED
        decide   acme 1                -> denied TENANT_SUSPENDED
        tenant   acme                  status CLOSED
        decide   acme 1                -> denied TENANT_CLOSED
    """)


def test_a_replay_tells_what_was_allowed_before_the_stop() -> None:
    play("""
        budget   acme                  allocated 100
        reserve  r1 acme 10 key k      -> allowed
        stop     s1 everything
        reserve  r1 acme 10 key k      -> replayed allowed
    """)


def test_a_refusal_names_the_stop_its_reason_and_who_did_it() -> None:
    authority = InMemoryAuthority(budgets={"tenant:acme": tokens(100)})
    stop = authority.stop("tenant:acme", reason="the bot writes to customers")
    with pytest.raises(BudgetFrozenError) as refused:
        authority.send(a_reserve())
    assert refused.value.problem.message == (
        f"The emergency stop {stop.stop_id} of tenant:acme holds: the bot writes to customers "
        "(stopped by operator)"
    )
    assert refused.value.details["stop_id"] == stop.stop_id
    assert refused.value.suggested_fix == (
        f"Lift the stop {stop.stop_id} once it is safe; no budget has to change."
    )
    with pytest.raises(SettlementRefusedError, match=stop.stop_id):
        authority.send(a_record())
    authority.lift(stop.stop_id)
    authority.send(a_reserve())


def test_a_stop_of_everything_says_so() -> None:
    authority = InMemoryAuthority(budgets={"tenant:acme": tokens(100)})
    authority.stop(reason="drill")
    with pytest.raises(BudgetFrozenError, match="of everything holds: drill"):
        authority.send(a_reserve())


def test_a_stop_is_lifted_once() -> None:
    authority = InMemoryAuthority()
    stop = authority.stop(reason="drill")
    authority.lift(stop.stop_id)
    with pytest.raises(LookupError, match=f"there is no stop {stop.stop_id}"):
        authority.lift(stop.stop_id)
