"""Which kinds may be done at all, and which policy has the say."""

import pytest

from runcycles.testing import play


def test_a_denied_kind_is_refused_by_the_policy_that_names_it() -> None:
    play("""
        budget   acme            allocated 100
        policy   sandbox acme    denies payment.charge,payment.refund
        reserve  r1 acme/bot 1 kind payment.charge -> denied ACTION_KIND_DENIED by sandbox http 409
        dry-run  acme/bot 1 kind payment.refund    -> denied ACTION_KIND_DENIED at acme http 200
        decide   acme/bot 1 kind payment.refund    -> denied ACTION_KIND_DENIED by sandbox http 200
        reserve  r1 acme/bot 1 kind payment.other  -> allowed
        balance  acme                              -> reserved 1
    """)


def test_where_kinds_are_allowed_every_other_one_is_refused() -> None:
    play("""
        budget   acme            allocated 100
        policy   reader acme     allows db.query,llm.completion
        reserve  r1 acme 1 kind db.query           -> allowed
        reserve  r2 acme 1 kind message.email.send -> denied ACTION_KIND_NOT_ALLOWED by reader
        reserve  r2 acme 1 kind db.queryx          -> denied ACTION_KIND_NOT_ALLOWED
    """)


def test_a_kind_on_both_lists_is_denied() -> None:
    play("""
        budget   acme            allocated 100
        policy   torn acme       allows db.query denies db.query
        reserve  r1 acme 1 kind db.query           -> denied ACTION_KIND_DENIED
    """)


def test_a_list_is_looked_at_before_a_quota_and_a_quota_before_a_budget() -> None:
    play("""
        policy   p1 acme         denies db.write quotas db.write=1/hour,db.query=1/hour
        reserve  r1 acme 1 kind db.write           -> denied ACTION_KIND_DENIED
        reserve  r1 acme 1 kind db.query           -> denied BUDGET_NOT_FOUND
        budget   acme            allocated 1
        reserve  r1 acme 1 kind db.query           -> allowed
        reserve  r2 acme 1 kind db.query           -> denied ACTION_QUOTA_EXCEEDED
        reserve  r2 acme 1                         -> denied BUDGET_EXCEEDED
    """)


@pytest.mark.parametrize(
    ("pattern", "denied", "allowed"),
    [
        ("acme", "acme acme/bot acme/workspace:dev/bot", "beta"),
        ("acme/bot", "acme/bot acme/bot/toolset:x", "acme acme/other acme/workspace:dev/bot"),
        ("acme/agent:*", "acme/bot acme/other", "acme acme/workspace:dev/bot"),
        ("acme/*", "acme/bot acme/workspace:dev/bot", "acme beta"),
        ("tenant:*", "acme acme/bot", "beta"),
    ],
)
def test_a_policy_covers_what_its_pattern_matches_and_all_below(
    pattern: str, denied: str, allowed: str
) -> None:
    asked = [(subject, "denied ACTION_KIND_DENIED") for subject in denied.split()]
    asked += [(subject, "allowed") for subject in allowed.split()]
    lines = "\n".join(f"decide {subject} 1 -> {answer}" for subject, answer in asked)
    play(f"""
        budget   acme            allocated 100
        budget   beta            allocated 100
        policy   p1 {pattern}    denies llm.completion as acme
        {lines}
    """)


def test_who_names_no_tenant_is_under_its_keys_tenants_policies_all_the_same() -> None:
    play("""
        budget   agent:bot       allocated 100
        policy   p1 acme/bot     denies llm.completion
        reserve  r1 agent:bot 1  -> denied ACTION_KIND_DENIED at acme/bot
    """)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("acme priority 2", "acme/bot priority 1"),
        ("acme/bot", "acme"),
        ("acme/bot", "acme/agent:*"),
        ("acme/agent:*", "acme/*"),
        ("acme", "acme"),
    ],
)
def test_of_two_policies_one_decides_alone(first: str, second: str) -> None:
    """The higher priority, else the deeper scope, else the more exact pattern, else the older."""
    play(f"""
        budget   acme            allocated 100
        policy   winner {first}  denies db.write
        advance  1s
        policy   loser {second}  denies db.query
        reserve  r1 acme/bot 1 kind db.write       -> denied ACTION_KIND_DENIED by winner
        reserve  r1 acme/bot 1 kind db.query       -> allowed
    """)


def test_a_policy_holds_in_its_time_and_while_it_is_active() -> None:
    play("""
        budget   acme            allocated 100
        policy   p1 acme         denies db.write from 10s until 20s
        reserve  r1 acme 1 kind db.write           -> allowed
        advance  10s
        reserve  r2 acme 1 kind db.write           -> denied ACTION_KIND_DENIED
        advance  9999ms
        reserve  r2 acme 1 kind db.write           -> denied ACTION_KIND_DENIED
        advance  1ms
        reserve  r2 acme 1 kind db.write           -> allowed
        policy   p1 acme         denies db.write
        reserve  r3 acme 1 kind db.write           -> denied ACTION_KIND_DENIED
        policy   p1 acme         denies db.write off
        reserve  r3 acme 1 kind db.write           -> allowed
    """)


def test_spend_that_happened_is_not_denied_for_its_kind() -> None:
    play("""
        budget   acme            allocated 100
        policy   p1 acme         denies db.write quotas db.write=1/run rate 1
        event    acme 1 kind db.write              -> applied
        event    acme 1 kind custom.acme.launch    -> applied
        event    acme 1 kind db.write              -> applied
    """)


def test_a_custom_kind_counts_for_nothing_before_it_is_declared() -> None:
    play("""
        budget   acme            allocated 100
        reserve  r1 acme 1 kind custom.acme.launch -> refused INVALID_REQUEST http 400
        dry-run  acme 1 kind custom.acme.launch    -> refused INVALID_REQUEST http 400
        decide   acme 1 kind custom.acme.launch    -> refused INVALID_REQUEST http 400
        reserve  r1 acme 1 kind acme.launch        -> allowed
        declare  custom.acme.launch high_risk
        reserve  r2 acme 1 kind custom.acme.launch -> allowed
        policy   p1 acme         quotas high_risk=1/hour
        reserve  r3 acme 1 kind custom.acme.launch -> allowed
        reserve  r4 acme 1 kind custom.acme.launch -> denied ACTION_QUOTA_EXCEEDED used 1 limit 1
        reserve  r4 acme 1 kind custom.acme.other  -> refused INVALID_REQUEST
    """)


def test_another_tenants_policies_are_not_ours() -> None:
    play("""
        budget   acme            allocated 100
        policy   p1 beta         denies llm.completion
        reserve  r1 acme 1       -> allowed
    """)
