from runcycles.testing import play


def test_an_event_is_charged_in_every_budgeted_scope_or_in_none() -> None:
    play("""
        budget   acme                 allocated 100
        budget   acme/bot             allocated 10
        event    acme/bot 11 policy REJECT -> refused BUDGET_EXCEEDED at acme/bot
        balance  acme                 -> spent 0
        event    acme/bot 10 policy REJECT -> applied charged 10
        balance  acme                 -> spent 10 remaining 90
        balance  acme/bot             -> spent 10 remaining 0
    """)


def test_an_event_does_not_spend_what_is_reserved() -> None:
    play("""
        budget   acme                 allocated 100
        reserve  r1 acme 60           -> allowed
        event    acme 41 policy REJECT -> refused BUDGET_EXCEEDED at acme
        event    acme 41              -> applied charged 40 capped
        balance  acme                 -> reserved 60 spent 40 remaining 0 over-limit
    """)


def test_an_event_of_nothing_fails_under_reject_where_the_rest_is_negative() -> None:
    play("""
        budget   acme                 allocated 0 debt 5 overdraft 5
        event    acme 0 policy REJECT -> refused BUDGET_EXCEEDED at acme
        event    acme 0               -> applied charged 0
        event    acme 0 policy ALLOW_WITH_OVERDRAFT -> applied charged 0
        balance  acme                 -> spent 0 debt 5
    """)


def test_debt_and_an_over_limit_flag_do_not_stop_an_event() -> None:
    play("""
        budget   acme                 allocated 50 debt 5
        budget   acme/bot             allocated 50 over-limit
        event    acme/bot 10          -> applied charged 10
    """)


def test_an_event_may_borrow_up_to_the_limit_and_not_more() -> None:
    play("""
        budget   acme                 allocated 10 overdraft 20
        budget   acme/bot             allocated 100
        event    acme/bot 31 policy ALLOW_WITH_OVERDRAFT -> refused OVERDRAFT_LIMIT_EXCEEDED at acme
        balance  acme/bot             -> spent 0
        event    acme/bot 30 policy ALLOW_WITH_OVERDRAFT -> applied charged 30
        balance  acme                 -> spent 10 debt 20 remaining -20
        balance  acme/bot             -> spent 30 debt 0
    """)


def test_an_event_follows_the_policy_of_its_budget_and_then_of_its_tenant() -> None:
    play("""
        budget   acme                 allocated 10
        budget   acme/bot             allocated 100 policy ALLOW_IF_AVAILABLE
        tenant   acme                 policy REJECT
        event    acme 11              -> refused BUDGET_EXCEEDED at acme
        event    acme/bot 11          -> applied charged 10 capped
        balance  acme                 -> spent 10 over-limit
    """)


def test_an_event_needs_a_budget_in_its_unit() -> None:
    play("""
        event    acme/bot 10          -> refused NOT_FOUND at acme/bot http 404
        budget   acme CREDITS         allocated 10
        event    acme/bot 10          -> refused UNIT_MISMATCH at acme http 400
    """)
