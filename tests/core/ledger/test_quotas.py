"""How often something may be done: what is counted, where, for how long, and what is given back."""

import pytest

from runcycles.errors import ActionDeniedError
from runcycles.ledger.policies import Quota
from runcycles.ops import Reserve
from runcycles.testing import InMemoryAuthority, play
from runcycles.types import (
    Action,
    PolicyKeys,
    QuotaViolation,
    QuotaWindow,
    RiskClass,
    Subject,
    tokens,
)

EMAIL = "message.email.send"


def test_a_run_may_do_something_as_often_as_its_quota_says() -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme/bot       quotas {EMAIL}=2/run
        reserve  r1 acme/bot 1 kind {EMAIL} run one -> allowed
        reserve  r2 acme/bot 1 kind {EMAIL} run one -> allowed
        reserve  r3 acme/bot 1 kind {EMAIL} run one -> denied ACTION_QUOTA_EXCEEDED by p1
        reserve  r3 acme/bot 1 kind {EMAIL} run two -> allowed
        reserve  r4 acme/bot 1 kind message.sms.send run one -> allowed
        reserve  r5 acme/other 1 kind {EMAIL} run one -> allowed
        counter  acme/bot {EMAIL} run one           -> used 2 limit 2 by p1
        counter  acme/bot {EMAIL} run two           -> used 1 limit 2
    """)


def test_a_release_or_an_expiry_gives_the_run_one_back_and_a_commit_does_not() -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme           quotas {EMAIL}=2/run,external_side_effect=9/run
        reserve  r1 acme 1 kind {EMAIL} run one     -> allowed
        reserve  r2 acme 1 kind {EMAIL} run one     -> allowed
        commit   r1 1                               -> charged 1
        counter  acme {EMAIL} run one               -> used 2
        release  r2                                 -> released 1
        counter  acme {EMAIL} run one               -> used 1
        counter  acme external_side_effect run one  -> used 1
        reserve  r3 acme 1 kind {EMAIL} run one     -> allowed
        reserve  r4 acme 1 kind {EMAIL} run one     -> denied ACTION_QUOTA_EXCEEDED
        advance  66s
        sweep                                       -> expired 1
        counter  acme {EMAIL} run one               -> used 1
        counter  acme external_side_effect run one  -> used 1
        reserve  r4 acme 1 kind {EMAIL} run one     -> allowed
    """)


def test_what_was_given_back_once_is_not_given_back_again() -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme           quotas {EMAIL}=9/run
        reserve  r1 acme 1 kind {EMAIL} run one     -> allowed
        reserve  r2 acme 1 kind {EMAIL} run one     -> allowed
        release  r1 key k                           -> released 1
        release  r1 key k                           -> replayed released 1
        release  r1 key other                       -> refused RESERVATION_FINALIZED
        counter  acme {EMAIL} run one               -> used 1
    """)


def test_windows_of_the_clock_begin_anew_and_give_nothing_back() -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme           quotas {EMAIL}=1/minute
        reserve  r1 acme 1 kind {EMAIL}             -> allowed
        release  r1                                 -> released 1
        reserve  r2 acme 1 kind {EMAIL}             -> denied ACTION_QUOTA_EXCEEDED used 1 limit 1
        advance  59999ms
        reserve  r2 acme 1 kind {EMAIL}             -> denied ACTION_QUOTA_EXCEEDED
        advance  1ms
        reserve  r2 acme 1 kind {EMAIL}             -> allowed
        counter  acme {EMAIL} minute 2027-01-15T08:00 -> used 1
        counter  acme {EMAIL} minute 2027-01-15T08:01 -> used 1
    """)


@pytest.mark.parametrize(
    ("window", "bucket", "until"),
    [
        ("hour", "2027-01-15T08", "1h"),
        ("day", "2027-01-15", "16h"),
        ("tenant-day", "2027-01-15", "16h"),
    ],
)
def test_every_window_ends_with_its_hour_or_day(window: str, bucket: str, until: str) -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme           quotas {EMAIL}=1/{window}
        reserve  r1 acme 1 kind {EMAIL}             -> allowed
        counter  acme {EMAIL} {window} {bucket}     -> used 1
        reserve  r2 acme 1 kind {EMAIL}             -> denied ACTION_QUOTA_EXCEEDED
        advance  {until}
        reserve  r2 acme 1 kind {EMAIL}             -> allowed
    """)


def test_a_quota_counts_where_its_policy_matched() -> None:
    play(f"""
        budget   acme              allocated 100
        policy   each acme/agent:*          quotas {EMAIL}=1/hour
        policy   all acme/app:crm           quotas {EMAIL}=1/hour
        reserve  r1 acme/one 1 kind {EMAIL}           -> allowed
        reserve  r2 acme/two 1 kind {EMAIL}           -> allowed
        reserve  r3 acme/two 1 kind {EMAIL}           -> denied ACTION_QUOTA_EXCEEDED at acme/two
        reserve  r3 acme/app:crm/one 1 kind {EMAIL} -> allowed
        reserve  r4 acme/app:crm/two 1 kind {EMAIL} -> denied ACTION_QUOTA_EXCEEDED at acme/app:crm
    """)


def test_a_quota_of_the_tenants_day_counts_at_the_tenant_wherever_its_policy_matched() -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme/agent:*   quotas {EMAIL}=1/tenant-day
        reserve  r1 acme/one 1 kind {EMAIL}         -> allowed
        reserve  r2 acme/two 1 kind {EMAIL}         -> denied ACTION_QUOTA_EXCEEDED at acme
    """)


def test_a_class_counts_all_its_kinds_and_the_smallest_headroom_is_told() -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme         quotas {EMAIL}=9/hour,external_side_effect=2/hour,high_risk=1/day
        reserve  r1 acme 1 kind {EMAIL}             -> allowed
        reserve  r2 acme 1 kind message.sms.send    -> allowed
        reserve  r3 acme 1 kind {EMAIL}             -> denied ACTION_QUOTA_EXCEEDED used 2 limit 2
        reserve  r3 acme 1 kind payment.charge      -> allowed
        counter  acme {EMAIL} hour 2027-01-15T08    -> used 1
        counter  acme external_side_effect hour 2027-01-15T08 -> used 2
        policy   p1 acme           quotas {EMAIL}=1/hour,external_side_effect=1/hour
        reserve  r4 acme 1 kind {EMAIL}             -> denied ACTION_QUOTA_EXCEEDED used 2 limit 1
    """)


def test_quotas_that_share_a_counter_count_once_and_the_tightest_holds() -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme           quotas {EMAIL}=9/hour,{EMAIL}=1/hour,{EMAIL}=5/hour
        reserve  r1 acme 1 kind {EMAIL}             -> allowed
        counter  acme {EMAIL} hour 2027-01-15T08    -> used 1 limit 1
        reserve  r2 acme 1 kind {EMAIL}             -> denied ACTION_QUOTA_EXCEEDED used 1 limit 1
    """)


def test_a_new_limit_keeps_what_was_counted() -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme           quotas {EMAIL}=2/hour
        reserve  r1 acme 1 kind {EMAIL}             -> allowed
        reserve  r2 acme 1 kind {EMAIL}             -> allowed
        policy   p1 acme           quotas {EMAIL}=1/hour
        reserve  r3 acme 1 kind {EMAIL}             -> denied ACTION_QUOTA_EXCEEDED used 2 limit 1
        policy   p1 acme           quotas {EMAIL}=3/hour
        reserve  r3 acme 1 kind {EMAIL}             -> allowed
        reserve  r4 acme 1 kind {EMAIL}             -> denied ACTION_QUOTA_EXCEEDED used 3 limit 3
    """)


def test_what_is_denied_or_only_asked_counts_nothing() -> None:
    play(f"""
        budget   acme              allocated 5
        policy   p1 acme           quotas {EMAIL}=1/run,external_side_effect=1/hour rate 1
        dry-run  acme 1 kind {EMAIL} run one        -> allowed
        decide   acme 1 kind {EMAIL} run one        -> allowed
        reserve  r1 acme 1 kind {EMAIL} run one observe OBSERVE -> allowed observed
        reserve  r1 acme 6 kind {EMAIL} run one     -> denied BUDGET_EXCEEDED
        freeze   acme
        reserve  r1 acme 1 kind {EMAIL} run one     -> denied BUDGET_FROZEN
        counter  acme {EMAIL} run one               -> none
        counter  acme external_side_effect hour 2027-01-15T08 -> none
        unfreeze acme
        reserve  r1 acme 1 kind {EMAIL} run one key k -> allowed
        reserve  r1 acme 1 kind {EMAIL} run one key k -> replayed allowed
        counter  acme {EMAIL} run one               -> used 1
        dry-run  acme 1 kind {EMAIL} run one        -> denied ACTION_QUOTA_EXCEEDED http 200
    """)


@pytest.mark.parametrize("verb", ["reserve r1", "dry-run", "decide"])
def test_where_runs_are_counted_a_question_without_its_run_is_a_bad_request(verb: str) -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme           quotas {EMAIL}=1/run denies {EMAIL}
        {verb} acme 1 kind {EMAIL}                  -> refused INVALID_REQUEST http 400
        {verb} acme 1                               -> allowed
    """)


def test_the_counter_of_a_run_is_forgotten_a_day_after_it_counted_last() -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme           quotas {EMAIL}=2/run
        reserve  r1 acme 1 kind {EMAIL} run one     -> allowed
        advance  23h
        reserve  r2 acme 1 kind {EMAIL} run one     -> allowed
        advance  86399999ms
        decide   acme 1 kind {EMAIL} run one        -> denied ACTION_QUOTA_EXCEEDED
        advance  1ms
        reserve  r3 acme 1 kind {EMAIL} run one     -> allowed
        counter  acme {EMAIL} run one               -> used 1
    """)


def an_authority(*quotas: Quota) -> InMemoryAuthority:
    authority = InMemoryAuthority(budgets={"tenant:acme": tokens(1_000)})
    authority.add_policy("tenant:acme", quotas=quotas, policy_id="p1", name="support")
    return authority


def ask(
    authority: InMemoryAuthority,
    key: str,
    kind: str = EMAIL,
    *,
    ttl_ms: int | None = None,
    policy_keys: PolicyKeys | None = None,
) -> str:
    """The id of a reservation for this kind, in the run `one`."""
    op = Reserve(
        idempotency_key=key,
        subject=Subject(tenant="acme", dimensions={"run_id": "one"}),
        action=Action(kind=kind, name="x", policy_keys=policy_keys),
        estimate=tokens(1),
        ttl_ms=ttl_ms,
    )
    reservation_id = authority.send(op).reservation_id  # type: ignore[union-attr]  # or it raises
    assert reservation_id is not None
    return reservation_id


def used(authority: InMemoryAuthority) -> dict[str, int]:
    return {counter.counted: counter.used for counter in authority.counters()}


def test_nothing_is_given_back_to_a_counter_that_has_begun_anew() -> None:
    """Its quota lets the counter go after a minute; the reservations from before live longer."""
    minute = 60_000
    quota = Quota(
        max_calls=2, window=QuotaWindow.PER_RUN, action_kind=EMAIL, per_run_counter_ttl_ms=minute
    )
    authority = an_authority(quota)
    old = authority.reservation(ask(authority, "a", ttl_ms=10 * minute))
    assert old is not None
    authority.clock.advance(minute)
    ask(authority, "b")
    assert used(authority) == {EMAIL: 1}
    play("release the-old-one -> refused NOT_FOUND", authority)
    play(f"release {old.reservation_id} -> released 1", authority)
    assert used(authority) == {EMAIL: 1}


def test_a_counter_that_is_gone_is_not_made_again_by_giving_back() -> None:
    authority = an_authority(
        Quota(
            max_calls=2,
            window=QuotaWindow.PER_RUN,
            action_kind=EMAIL,
            per_run_counter_ttl_ms=60_000,
        )
    )
    held = ask(authority, "a", ttl_ms=120_000)
    authority.clock.advance(60_000)
    before = authority.counters()
    play(f"release {held} -> released 1", authority)
    assert authority.counters() == before


@pytest.mark.parametrize(
    ("keys", "counted"),
    [
        (None, False),
        (PolicyKeys(), False),
        (PolicyKeys(host="api.sendgrid.com"), False),
        (PolicyKeys(recipient_domain="customer.com"), False),
        (PolicyKeys(host="api.sendgrid.com", recipient_domain="other.com"), False),
        (PolicyKeys(host="api.sendgrid.com", recipient_domain="customer.com"), True),
        (PolicyKeys(host="API.SendGrid.com", recipient_domain="CUSTOMER.com"), True),
    ],
)
def test_a_quota_with_lists_counts_what_they_name_and_nothing_else(
    keys: PolicyKeys | None, counted: bool
) -> None:
    quota = Quota(
        max_calls=5,
        window=QuotaWindow.PER_HOUR,
        action_kind=EMAIL,
        host_allowlist=("api.sendgrid.com", "smtp.acme.com"),
        recipient_domain_allowlist=("Customer.com",),
    )
    authority = an_authority(quota)
    ask(authority, "a", policy_keys=keys)
    assert used(authority) == ({EMAIL: 1} if counted else {})


@pytest.mark.parametrize(
    ("kind", "counted"),
    [("db.query", True), ("llm.completion", False), ("not.registered", False)],
)
def test_a_key_that_a_kind_does_not_have_is_not_looked_at(kind: str, counted: bool) -> None:
    quota = Quota(
        max_calls=5,
        window=QuotaWindow.PER_HOUR,
        action_kind=kind,
        resource_type_allowlist=("orders",),
    )
    authority = an_authority(quota)
    ask(authority, "a", kind, policy_keys=PolicyKeys(resource_type="orders"))
    assert used(authority) == ({kind: 1} if counted else {})


def test_a_declared_kind_has_the_keys_that_were_declared() -> None:
    quota = Quota(
        max_calls=5,
        window=QuotaWindow.PER_HOUR,
        action_kind="custom.acme.launch",
        host_allowlist=("pad.acme.com",),
    )
    authority = an_authority(quota)
    for number, has_host in enumerate((False, True)):
        authority.declare_kind(
            "custom.acme.launch", RiskClass.HIGH_RISK, policy_key_spec={"host": has_host}
        )
        keys = PolicyKeys(host="pad.acme.com")
        ask(authority, str(number), "custom.acme.launch", policy_keys=keys)
        assert used(authority) == ({"custom.acme.launch": 1} if has_host else {})


def test_a_refusal_says_who_decided_how_much_is_used_and_what_would_allow_it() -> None:
    authority = an_authority(
        Quota(max_calls=1, window=QuotaWindow.PER_HOUR, risk_class=RiskClass.EXTERNAL_SIDE_EFFECT)
    )
    ask(authority, "a")
    with pytest.raises(ActionDeniedError) as denied:
        ask(authority, "b")
    error = denied.value
    assert error.problem.message == (
        "The policy 'support' (p1) allows 1 external_side_effect actions per hour at tenant:acme; "
        "the hour 2027-01-15T08 has used 1"
    )
    assert error.suggested_fix == (
        "Wait until 2027-01-15T09:00Z, when the next hour begins, or raise max_calls of "
        "external_side_effect actions in the policy p1."
    )
    assert (error.policy_id, error.scope) == ("p1", "tenant:acme")
    assert error.quota == QuotaViolation(
        action_kind=EMAIL,
        window=QuotaWindow.PER_HOUR,
        used=1,
        limit=1,
        scope="tenant:acme",
        window_key="2027-01-15T08",
        policy_id="p1",
        risk_class=RiskClass.EXTERNAL_SIDE_EFFECT,
    )
