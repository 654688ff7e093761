import pytest

from runcycles.testing import play


def test_a_commit_below_the_estimate_gives_the_rest_back() -> None:
    play("""
        budget       acme          allocated 100
        budget       acme/bot      allocated 50
        reserve      r1 acme/bot 40 -> allowed
        commit       r1 25         -> charged 25 released 15
        balance      acme          -> reserved 0 spent 25 remaining 75
        balance      acme/bot      -> reserved 0 spent 25 remaining 25
        reservation  r1            -> state COMMITTED held 40 charged 25
    """)


@pytest.mark.parametrize("policy", ["REJECT", "ALLOW_IF_AVAILABLE", "ALLOW_WITH_OVERDRAFT"])
def test_a_commit_of_the_estimate_succeeds_under_every_policy(policy: str) -> None:
    play(f"""
        budget   acme             allocated 40
        reserve  r1 acme 40 policy {policy} -> allowed
        commit   r1 40            -> charged 40 released 0
        balance  acme             -> reserved 0 spent 40 remaining 0
    """)


def test_a_rejected_overage_changes_nothing_though_there_is_budget() -> None:
    play("""
        budget       acme         allocated 100
        reserve      r1 acme 40 policy REJECT -> allowed
        commit       r1 41        -> refused BUDGET_EXCEEDED at acme http 409
        balance      acme         -> reserved 40 spent 0
        reservation  r1           -> state ACTIVE
        commit       r1 40        -> charged 40
    """)


def test_an_available_overage_is_charged_whole() -> None:
    play("""
        budget   acme             allocated 100
        reserve  r1 acme 40 policy ALLOW_IF_AVAILABLE -> allowed
        commit   r1 100           -> charged 100 released 0
        balance  acme             -> remaining 0 spent 100
    """)


def test_an_overage_beyond_what_remains_is_capped_and_makes_no_debt() -> None:
    play("""
        budget   acme             allocated 100 overdraft 1000
        reserve  r1 acme 40 policy ALLOW_IF_AVAILABLE -> allowed
        commit   r1 101           -> charged 100
        balance  acme             -> remaining 0 spent 100 debt 0 over-limit
    """)


def test_an_overage_over_a_negative_rest_charges_the_estimate_alone() -> None:
    play("""
        budget   acme             allocated 100
        reserve  r1 acme 40 policy ALLOW_IF_AVAILABLE -> allowed
        set      acme             allocated 10
        commit   r1 41            -> charged 40
        balance  acme             -> remaining -30 spent 40 over-limit
    """)


def test_an_overdraft_that_funds_cover_makes_no_debt() -> None:
    play("""
        budget   acme             allocated 100 overdraft 50
        reserve  r1 acme 40 policy ALLOW_WITH_OVERDRAFT -> allowed
        commit   r1 100           -> charged 100
        balance  acme             -> remaining 0 spent 100 debt 0
    """)


def test_an_overdraft_over_its_limit_changes_nothing_anywhere() -> None:
    play("""
        budget       acme         allocated 100 overdraft 50
        budget       acme/bot     allocated 1000 overdraft 50
        reserve      r1 acme/bot 40 policy ALLOW_WITH_OVERDRAFT -> allowed
        commit       r1 151       -> refused OVERDRAFT_LIMIT_EXCEEDED at acme
        balance      acme         -> reserved 40 spent 0 debt 0
        balance      acme/bot     -> reserved 40 spent 0 debt 0
        reservation  r1           -> state ACTIVE
        release      r1           -> released 40
    """)


def test_new_debt_counts_on_top_of_old_debt() -> None:
    play("""
        budget   acme             allocated 100 debt 20 overdraft 50
        reserve  r1 acme 80 policy ALLOW_WITH_OVERDRAFT -> allowed
        commit   r1 111           -> refused OVERDRAFT_LIMIT_EXCEEDED at acme
        commit   r1 110           -> charged 110
        balance  acme             -> debt 50 spent 80 remaining -30
    """)


def test_a_scope_without_a_limit_caps_an_overdraft_and_is_flagged() -> None:
    play("""
        budget   acme             allocated 100
        budget   acme/bot         allocated 50 overdraft 100
        reserve  r1 acme/bot 40 policy ALLOW_WITH_OVERDRAFT -> allowed
        commit   r1 200           -> charged 100
        balance  acme             -> remaining 0 spent 100 debt 0 over-limit
        balance  acme/bot         -> remaining -50 spent 50 debt 50
    """)


def test_what_a_budget_or_tenant_became_does_not_stop_a_commit() -> None:
    play("""
        budget   acme             allocated 100
        reserve  r1 acme 10       -> allowed
        reserve  r2 acme 10       -> allowed
        reserve  r3 acme 10       -> allowed
        reserve  r4 acme 10       -> allowed
        freeze   acme
        commit   r1 10            -> charged 10
        close    acme
        commit   r2 10            -> charged 10
        set      acme             over-limit debt 5
        commit   r3 10            -> charged 10
        tenant   acme             status SUSPENDED
        commit   r4 10            -> charged 10
    """)


def test_a_commit_of_an_unknown_reservation_is_not_found() -> None:
    play("""
        budget   acme             allocated 100
        commit   nothing 10       -> refused NOT_FOUND http 404
        release  nothing          -> refused NOT_FOUND http 404
        extend   nothing 1s       -> refused NOT_FOUND http 404
    """)


def test_a_reservation_belongs_to_its_tenant() -> None:
    play("""
        budget   acme             allocated 100
        reserve  r1 acme 10       -> allowed
        commit   r1 10 as beta    -> refused FORBIDDEN http 403
        release  r1 as beta       -> refused FORBIDDEN http 403
        extend   r1 1s as beta    -> refused FORBIDDEN http 403
        commit   r1 10            -> charged 10
    """)


def test_a_budget_that_was_deleted_is_skipped_when_its_reservations_end() -> None:
    play("""
        budget   acme             allocated 100
        budget   acme/bot         allocated 100
        reserve  r1 acme/bot 10   -> allowed
        reserve  r2 acme/bot 10   -> allowed
        reserve  r3 acme/bot 10   -> allowed
        remove   acme/bot
        commit   r1 20            -> charged 20
        release  r2               -> released 10
        advance  1h
        sweep                     -> expired 1
        balance  acme             -> reserved 0 spent 20
        balance  acme/bot         -> none
    """)


def test_a_commit_may_find_none_of_its_budgets_left() -> None:
    play("""
        budget   acme             allocated 100
        reserve  r1 acme 10       -> allowed
        remove   acme
        commit   r1 12            -> charged 12
    """)
