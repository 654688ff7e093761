"""Observing: what would have been refused is told, and nothing is held or counted."""

import pytest

from runcycles.testing import play


@pytest.mark.parametrize(
    ("tenant", "asked", "observed"),
    [
        ("", "", False),
        ("observe OBSERVE", "", True),
        ("observe DISABLED", "", False),
        ("observe OBSERVE", "observe ENFORCE", False),
        ("observe OBSERVE", "observe DISABLED", False),
        ("observe ENFORCE", "observe OBSERVE", True),
    ],
)
def test_the_request_says_what_a_refusal_does_else_the_tenant(
    tenant: str, asked: str, observed: bool
) -> None:
    denied, allowed = "denied BUDGET_EXCEEDED http 409", "allowed"
    if observed:
        denied, allowed = "denied BUDGET_EXCEEDED at acme http 200 observed", "allowed observed"
    play(f"""
        budget   acme              allocated 10
        tenant   acme              {tenant}
        reserve  r1 acme 11 {asked} -> {denied}
        reserve  r2 acme 10 {asked} -> {allowed}
        balance  acme              -> reserved {0 if observed else 10}
    """)


def test_every_check_is_observed_and_none_changes_anything() -> None:
    play("""
        tenant   acme              observe OBSERVE
        reserve  r1 acme 1         -> denied BUDGET_NOT_FOUND observed http 200
        budget   acme              allocated 10
        policy   p1 acme           denies db.write quotas db.query=1/run rate 1
        reserve  r1 acme 1 kind db.write        -> denied ACTION_KIND_DENIED by p1 observed
        reserve  r1 acme 1 kind db.query run a  -> allowed observed
        reserve  r1 acme 1 kind db.query run a  -> allowed observed
        counter  acme db.query run a            -> none
        reserve  r1 acme 1 kind db.query        -> refused INVALID_REQUEST http 400
        reserve  r1 acme 1 CREDITS              -> refused UNIT_MISMATCH http 400
        stop     s1 acme
        reserve  r1 acme 1         -> denied BUDGET_FROZEN observed http 200
        tenant   acme              status SUSPENDED
        reserve  r1 acme 1         -> denied TENANT_SUSPENDED observed http 200
    """)


def test_a_used_up_quota_and_rate_are_observed() -> None:
    play("""
        budget   acme              allocated 10
        policy   p1 acme           quotas db.query=1/hour rate 1
        reserve  r1 acme 1 kind db.query -> allowed
        tenant   acme              observe OBSERVE
        reserve  r2 acme 1 kind db.query -> denied ACTION_QUOTA_EXCEEDED used 1 limit 1 observed
        reserve  r2 acme 1               -> denied LIMIT_EXCEEDED retry 60s observed http 200
    """)


def test_an_observed_answer_is_remembered_like_a_dry_run() -> None:
    play("""
        budget   acme              allocated 10
        reserve  r1 acme 11 observe OBSERVE key k -> denied BUDGET_EXCEEDED observed
        fund     acme 10           -> funded
        reserve  r1 acme 11 observe OBSERVE key k -> replayed denied BUDGET_EXCEEDED observed
        reserve  r1 acme 11 key k  -> refused IDEMPOTENCY_MISMATCH
        advance  24h
        reserve  r1 acme 11 observe OBSERVE key k -> allowed observed
    """)


def test_what_was_reserved_before_observing_ends_as_ever() -> None:
    play("""
        budget   acme              allocated 10
        reserve  r1 acme 4         -> allowed
        reserve  r2 acme 4         -> allowed
        tenant   acme              observe OBSERVE
        extend   r1 1s             -> extended
        commit   r1 3              -> charged 3
        release  r2                -> released 4
        balance  acme              -> reserved 0 spent 3
    """)
