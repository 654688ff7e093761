"""How often in a minute something may begin, and how often it may be committed."""

from runcycles.testing import play


def test_a_policy_lets_so_many_reservations_begin_in_a_minute() -> None:
    play("""
        budget   acme              allocated 100
        policy   p1 acme           rate 2
        advance  15s
        reserve  r1 acme/one 1     -> allowed
        reserve  r2 acme/two 1     -> allowed
        reserve  r3 acme/one 1     -> refused LIMIT_EXCEEDED at acme by p1 retry 45s http 429
        dry-run  acme/one 1        -> denied LIMIT_EXCEEDED retry 45s http 200
        decide   acme/one 1        -> denied LIMIT_EXCEEDED at acme by p1 retry 45s http 200
        balance  acme              -> reserved 2
        advance  45s
        reserve  r3 acme/one 1     -> allowed
    """)


def test_what_is_not_allowed_does_not_count_and_a_release_gives_nothing_back() -> None:
    play("""
        budget   acme              allocated 10
        policy   p1 acme           rate 1 denies db.write
        reserve  r1 acme 11        -> denied BUDGET_EXCEEDED
        reserve  r1 acme 1 kind db.write -> denied ACTION_KIND_DENIED
        dry-run  acme 1            -> allowed
        reserve  r1 acme 1         -> allowed
        release  r1                -> released 1
        reserve  r2 acme 1         -> refused LIMIT_EXCEEDED
    """)


def test_a_quota_is_looked_at_before_the_rate_and_the_rate_before_a_budget() -> None:
    play("""
        budget   acme              allocated 1
        policy   p1 acme           rate 1 quotas db.query=1/hour
        reserve  r1 acme 1 kind db.query -> allowed
        decide   acme 1 kind db.query    -> denied ACTION_QUOTA_EXCEEDED
        decide   acme 1                  -> denied LIMIT_EXCEEDED
    """)


def test_a_policy_lets_so_many_commits_through_in_a_minute() -> None:
    play("""
        budget   acme              allocated 100
        policy   p1 acme           commit-rate 1
        reserve  r1 acme 10        -> allowed
        reserve  r2 acme 10        -> allowed
        commit   r1 11 CREDITS     -> refused UNIT_MISMATCH
        commit   r1 5 key k        -> charged 5
        commit   r1 5 key k        -> replayed charged 5
        commit   r1 5              -> refused RESERVATION_FINALIZED
        commit   r2 5 key l        -> refused LIMIT_EXCEEDED by p1 retry 60s http 429
        balance  acme              -> reserved 10 spent 5
        extend   r2 60s            -> extended
        advance  60s
        commit   r2 5 key l        -> charged 5
    """)


def test_a_commit_is_counted_under_the_policy_that_decides_for_its_subject_now() -> None:
    play("""
        budget   agent:bot         allocated 100
        budget   acme              allocated 100
        reserve  r1 agent:bot 10   -> allowed
        reserve  r2 agent:bot 10   -> allowed
        reserve  r3 acme 10        -> allowed
        policy   p1 acme/bot       commit-rate 1
        commit   r1 5              -> charged 5
        commit   r2 5              -> refused LIMIT_EXCEEDED at acme/bot
        commit   r3 5              -> charged 5
        policy   p1 acme/bot
        commit   r2 5              -> charged 5
    """)


def test_a_rejected_overage_does_not_count_as_a_commit() -> None:
    play("""
        budget   acme              allocated 100
        policy   p1 acme           commit-rate 1
        reserve  r1 acme 10 policy REJECT -> allowed
        commit   r1 11             -> refused BUDGET_EXCEEDED
        commit   r1 10             -> charged 10
    """)
