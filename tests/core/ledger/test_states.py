"""What the state of a budget and of a tenant stops, and what it does not."""

import pytest

from runcycles.testing import play


@pytest.mark.parametrize(
    ("verb", "code"), [("freeze", "BUDGET_FROZEN"), ("close", "BUDGET_CLOSED")]
)
def test_a_frozen_or_closed_budget_takes_nothing_new_and_lets_settle_what_runs(
    verb: str, code: str
) -> None:
    play(f"""
        budget   acme            allocated 100
        budget   acme/bot        allocated 100
        reserve  r1 acme/bot 10  -> allowed
        reserve  r2 acme/bot 10  -> allowed
        {verb}   acme
        reserve  r3 acme/bot 10  -> denied {code} at acme http 409
        dry-run  acme/bot 10     -> denied {code} at acme http 200
        decide   acme/bot 10     -> denied {code} at acme http 200
        event    acme/bot 10     -> refused {code} at acme http 409
        extend   r1 1s           -> extended
        commit   r1 10           -> charged 10
        release  r2              -> released 10
        unfreeze acme
        reserve  r3 acme/bot 10  -> allowed
    """)


def test_a_frozen_scope_does_not_stop_its_siblings() -> None:
    play("""
        budget   acme/writer         allocated 100
        budget   acme/editor         allocated 100
        freeze   acme/writer
        reserve  r1 acme/editor 10   -> allowed
    """)


def test_without_a_tenant_record_there_is_no_restriction() -> None:
    play("""
        budget   acme            allocated 100
        reserve  r1 acme 10      -> allowed
    """)


def test_an_active_tenant_is_not_restricted() -> None:
    play("""
        budget   acme            allocated 100
        tenant   acme            status ACTIVE
        reserve  r1 acme 10      -> allowed
        event    acme 10         -> applied
    """)


def test_a_suspended_tenant_starts_nothing_and_finishes_everything() -> None:
    play("""
        budget   acme            allocated 100
        reserve  r1 acme 10      -> allowed
        reserve  r2 acme 10      -> allowed
        tenant   acme            status SUSPENDED
        reserve  r3 acme 10      -> denied TENANT_SUSPENDED at acme http 403
        reserve  r3 acme 10      -> refused FORBIDDEN
        dry-run  acme 10         -> denied TENANT_SUSPENDED http 200
        decide   acme 10         -> denied TENANT_SUSPENDED http 200
        extend   r1 1s           -> extended
        commit   r1 10           -> charged 10
        release  r2              -> released 10
        event    acme 10         -> applied
    """)


def test_nothing_of_a_closed_tenant_changes() -> None:
    play("""
        budget   acme            allocated 100
        reserve  r1 acme 10      -> allowed
        tenant   acme            status CLOSED
        reserve  r2 acme 10      -> denied TENANT_CLOSED at acme http 409
        dry-run  acme 10         -> denied TENANT_CLOSED http 200
        decide   acme 10         -> denied TENANT_CLOSED http 200
        event    acme 10         -> refused TENANT_CLOSED at acme http 409
        commit   r1 10           -> refused TENANT_CLOSED http 409
        release  r1              -> refused TENANT_CLOSED http 409
        extend   r1 1s           -> refused TENANT_CLOSED http 409
        balance  acme            -> reserved 10 spent 0
    """)


def test_a_closed_tenant_is_named_before_the_state_of_its_reservation_or_budget() -> None:
    play("""
        budget   acme            allocated 100
        reserve  r1 acme 10      -> allowed
        reserve  r2 acme 10      -> allowed
        commit   r1 10           -> charged 10
        advance  2m
        sweep                    -> expired 1
        tenant   acme            status CLOSED
        freeze   acme
        commit   r1 10           -> refused TENANT_CLOSED
        commit   r2 10           -> refused TENANT_CLOSED
        event    acme 10         -> refused TENANT_CLOSED
    """)


def test_a_closed_tenant_is_named_before_any_budget_is_looked_for() -> None:
    play("""
        tenant   acme            status CLOSED
        reserve  r1 acme 10      -> denied TENANT_CLOSED
        event    acme 10         -> refused TENANT_CLOSED
    """)


@pytest.mark.parametrize("status", ["closed", "active", "DELETED"])
def test_a_damaged_tenant_record_stops_everything_as_our_own_error(status: str) -> None:
    play(f"""
        budget   acme            allocated 100
        reserve  r1 acme 10      -> allowed
        tenant   acme            status {status}
        reserve  r2 acme 10      -> refused INTERNAL_ERROR http 500
        dry-run  acme 10         -> refused INTERNAL_ERROR http 500
        decide   acme 10         -> refused INTERNAL_ERROR http 500
        event    acme 10         -> refused INTERNAL_ERROR http 500
        commit   r1 10           -> refused INTERNAL_ERROR http 500
        release  r1              -> refused INTERNAL_ERROR http 500
        extend   r1 1s           -> refused INTERNAL_ERROR http 500
        balance  acme            -> reserved 10 spent 0
    """)


def test_another_tenants_state_is_not_ours() -> None:
    play("""
        budget   acme            allocated 100
        tenant   beta            status CLOSED
        reserve  r1 acme 10      -> allowed
    """)


def test_an_over_limit_flag_stays_until_an_operator_funds_the_budget() -> None:
    play("""
        budget   acme            allocated 100
        reserve  r1 acme 40      -> allowed
        event    acme 70         -> applied charged 60 capped
        release  r1              -> released 40
        balance  acme            -> remaining 40 over-limit
        reserve  r2 acme 1       -> denied OVERDRAFT_LIMIT_EXCEEDED at acme remaining 40
        fund     acme 1          -> funded
        balance  acme            -> remaining 41
        reserve  r2 acme 1       -> allowed
    """)
