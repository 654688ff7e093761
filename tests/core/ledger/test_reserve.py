from runcycles.testing import play


def test_a_child_cannot_spend_what_its_parent_lacks() -> None:
    play("""
        budget   acme                 allocated 100
        budget   acme/writer          allocated 80
        reserve  r1  acme/editor  70   -> allowed
        reserve  r2  acme/writer  40   -> denied BUDGET_EXCEEDED at acme
        commit   r1  25                -> charged 25
        reserve  r3  acme/writer  40   -> allowed
        balance  acme                  -> reserved 40 spent 25 remaining 35
    """)


def test_a_reservation_holds_the_estimate_in_every_budgeted_scope_or_in_none() -> None:
    play("""
        budget   acme                      allocated 100
        budget   acme/app:crm              allocated 100
        budget   acme/app:crm/writer       allocated 10
        reserve  r1  acme/app:crm/writer 11 -> denied BUDGET_EXCEEDED at acme/app:crm/writer
        balance  acme                      -> reserved 0
        balance  acme/app:crm              -> reserved 0
        reserve  r2  acme/app:crm/writer 10 -> allowed affected 3 budgets 3 held 10
        balance  acme                      -> reserved 10
        balance  acme/app:crm              -> reserved 10
        balance  acme/app:crm/writer       -> reserved 10 remaining 0
    """)


def test_the_last_of_the_budget_may_be_reserved_and_not_one_more() -> None:
    play("""
        budget   acme          allocated 10
        reserve  r1  acme 11   -> denied BUDGET_EXCEEDED at acme remaining 10 http 409
        reserve  r1  acme 10   -> allowed
        reserve  r2  acme 0    -> allowed
        reserve  r3  acme 1    -> denied BUDGET_EXCEEDED at acme remaining 0
    """)


def test_an_agent_does_not_spend_the_budget_of_its_sibling() -> None:
    play("""
        budget   acme/writer        allocated 10
        budget   acme/editor        allocated 10
        reserve  r1 acme/writer 10  -> allowed
        reserve  r2 acme/editor 10  -> allowed
        reserve  r3 acme/writer 1   -> denied BUDGET_EXCEEDED at acme/writer
    """)


def test_levels_that_are_left_out_are_skipped_and_make_other_scopes() -> None:
    play("""
        budget   acme/app:crm/writer       allocated 10
        reserve  r1  acme/writer 1         -> denied BUDGET_NOT_FOUND at acme/writer
        reserve  r2  acme/app:crm/writer 1 -> allowed affected 3 budgets 1
    """)


def test_scopes_are_compared_in_lower_case() -> None:
    play("""
        budget   acme/writer         allocated 10
        reserve  r1  acme/WRITER 10  -> allowed
        balance  acme/writer         -> reserved 10
    """)


def test_without_any_budget_a_reservation_is_not_found() -> None:
    play("""
        reserve  r1  acme/writer 1   -> denied BUDGET_NOT_FOUND at acme/writer http 404
        reserve  r1  acme/writer 1   -> refused NOT_FOUND
    """)


def test_each_unit_has_its_own_budget() -> None:
    play("""
        budget   acme TOKENS          allocated 10
        budget   acme CREDITS         allocated 3
        reserve  r1 acme 10 TOKENS    -> allowed
        reserve  r2 acme 3 CREDITS    -> allowed
        balance  acme TOKENS          -> remaining 0
        balance  acme CREDITS         -> remaining 0
    """)


def test_tenants_do_not_share_budgets_of_scopes_that_name_no_tenant() -> None:
    play("""
        budget   agent:bot as acme           allocated 10
        budget   agent:bot as beta           allocated 20
        reserve  r1  agent:bot 10 as acme    -> allowed affected 1 budgets 1
        balance  agent:bot as acme           -> remaining 0
        balance  agent:bot as beta           -> remaining 20
        reserve  r2  agent:bot 1 as gamma    -> denied BUDGET_NOT_FOUND at agent:bot
    """)


def test_a_subject_without_a_tenant_does_not_spend_the_tenants_own_budget() -> None:
    play("""
        budget   acme                     allocated 10
        reserve  r1  agent:bot 1 as acme  -> denied BUDGET_NOT_FOUND at agent:bot
    """)


def test_a_key_cannot_spend_for_another_tenant_and_tenants_differ_by_case() -> None:
    play("""
        budget   acme                   allocated 10
        reserve  r1  acme 1 as beta     -> refused FORBIDDEN http 403
        reserve  r1  ACME 1 as acme     -> refused FORBIDDEN
        decide   acme 1 as beta         -> refused FORBIDDEN
        dry-run  acme 1 as beta         -> refused FORBIDDEN
        event    acme 1 as beta         -> refused FORBIDDEN
    """)


def test_reasons_are_looked_for_one_after_the_other_in_all_scopes() -> None:
    play("""
        budget   acme                  allocated 0
        budget   acme/app:a            allocated 0 debt 5
        budget   acme/app:a/bot        allocated 0 over-limit
        reserve  r1 acme/app:a/bot 1   -> denied OVERDRAFT_LIMIT_EXCEEDED at acme/app:a/bot
        set      acme/app:a/bot        state CLOSED
        reserve  r1 acme/app:a/bot 1   -> denied BUDGET_CLOSED at acme/app:a/bot
        set      acme/app:a            state FROZEN
        reserve  r1 acme/app:a/bot 1   -> denied BUDGET_FROZEN at acme/app:a
        tenant   acme                  status SUSPENDED
        reserve  r1 acme/app:a/bot 1   -> denied TENANT_SUSPENDED at acme
        tenant   acme                  status CLOSED
        reserve  r1 acme/app:a/bot 1   -> denied TENANT_CLOSED at acme
    """)


def test_debt_is_named_before_an_empty_budget() -> None:
    play("""
        budget   acme              allocated 0
        budget   acme/bot          allocated 0 debt 5
        reserve  r1 acme/bot 1     -> denied DEBT_OUTSTANDING at acme/bot remaining -5
    """)


def test_debt_within_an_overdraft_limit_does_not_stop_a_reservation() -> None:
    play("""
        budget   acme          allocated 100 debt 50 overdraft 50
        reserve  r1 acme 50    -> allowed
    """)


def test_debt_above_the_limit_stops_a_reservation_even_where_nothing_flagged_it() -> None:
    play("""
        budget   acme          allocated 100 debt 50 overdraft 10
        balance  acme          -> over-limit
        reserve  r1 acme 0     -> denied OVERDRAFT_LIMIT_EXCEEDED at acme remaining 50
    """)


def test_an_overage_policy_does_not_help_at_reserve_time() -> None:
    play("""
        budget   acme          allocated 10 overdraft 100
        reserve  r1 acme 11 policy ALLOW_WITH_OVERDRAFT -> denied BUDGET_EXCEEDED at acme
        reserve  r1 acme 11 policy ALLOW_IF_AVAILABLE   -> denied BUDGET_EXCEEDED at acme
    """)


def test_a_lease_is_as_long_as_asked_for_up_to_the_maximum() -> None:
    play("""
        budget   acme                   allocated 10
        reserve  r1 acme 1              -> allowed left 60s
        reserve  r2 acme 1 ttl 1s       -> allowed left 1s
        reserve  r3 acme 1 ttl 24h      -> allowed left 1h
        tenant   acme                   ttl 30s max-ttl 40s
        reserve  r4 acme 1              -> allowed left 30s
        reserve  r5 acme 1 ttl 41s      -> allowed left 40s
        tenant   acme                   ttl 50s
        reserve  r6 acme 1              -> allowed left 40s
    """)


def test_the_overage_policy_is_the_requests_else_the_deepest_budgets_else_the_tenants() -> None:
    play("""
        budget       acme               allocated 10
        reserve      r1 acme 1          -> allowed
        reservation  r1                 -> policy ALLOW_IF_AVAILABLE
        tenant       acme               policy REJECT
        reserve      r2 acme 1          -> allowed
        reservation  r2                 -> policy REJECT
        budget       acme/bot           allocated 10 policy ALLOW_WITH_OVERDRAFT
        reserve      r3 acme/bot 1      -> allowed
        reservation  r3                 -> policy ALLOW_WITH_OVERDRAFT
        reserve      r4 acme/bot/toolset:x 1 -> allowed
        reservation  r4                 -> policy ALLOW_WITH_OVERDRAFT
        reserve      r5 acme/bot 1 policy ALLOW_IF_AVAILABLE -> allowed
        reservation  r5                 -> policy ALLOW_IF_AVAILABLE
    """)
