"""The terms of what is allowed: the request's say, the policy's, the budget's, the tenant's."""

import pytest

from runcycles.ledger import terms
from runcycles.ledger.policies import Policy
from runcycles.ledger.state import Account, Budget
from runcycles.testing import play
from runcycles.types import Caps, Unit


@pytest.mark.parametrize(
    ("policy", "asked", "left"),
    [
        ("", "", "60s"),
        ("ttl 10s", "", "10s"),
        ("ttl 10s", "ttl 20s", "20s"),
        ("max-ttl 15s", "", "15s"),
        ("max-ttl 15s", "ttl 20s", "15s"),
        ("ttl 20s max-ttl 15s", "", "15s"),
        ("max-ttl 2h", "ttl 90m", "1h"),
    ],
)
def test_a_lease_is_the_requests_then_the_policys_and_below_every_ceiling(
    policy: str, asked: str, left: str
) -> None:
    play(f"""
        budget   acme              allocated 100
        policy   p1 acme           {policy}
        reserve  r1 acme 1 {asked} -> allowed left {left}
    """)


def test_a_tenants_ceiling_holds_under_a_policy_too() -> None:
    play("""
        budget   acme              allocated 100
        tenant   acme              ttl 30s max-ttl 40s
        policy   p1 acme/bot       ttl 50s max-ttl 60s
        reserve  r1 acme 1         -> allowed left 30s
        reserve  r2 acme/bot 1     -> allowed left 40s
    """)


def test_a_policy_says_how_often_a_lease_is_extended() -> None:
    play("""
        budget   acme              allocated 100
        tenant   acme              max-extensions 5
        policy   p1 acme           max-extensions 1
        reserve  r1 acme 1         -> allowed
        extend   r1 1s             -> extended
        extend   r1 1s             -> refused MAX_EXTENSIONS_EXCEEDED
    """)


@pytest.mark.parametrize(
    ("request_", "policy", "budget", "expected"),
    [
        ("policy REJECT", "overage ALLOW_WITH_OVERDRAFT", "", "REJECT"),
        ("", "overage ALLOW_WITH_OVERDRAFT", "policy REJECT", "ALLOW_WITH_OVERDRAFT"),
        ("", "", "policy REJECT", "REJECT"),
        ("", "", "", "ALLOW_WITH_OVERDRAFT"),
    ],
)
def test_an_overage_is_the_requests_then_the_policys_then_the_budgets_then_the_tenants(
    request_: str, policy: str, budget: str, expected: str
) -> None:
    play(f"""
        tenant       acme              policy ALLOW_WITH_OVERDRAFT
        budget       acme              allocated 100 {budget}
        policy       p1 acme           {policy}
        reserve      r1 acme 1 {request_} -> allowed
        reservation  r1                -> policy {expected}
    """)


def test_a_policys_overage_holds_for_spend_without_a_reservation() -> None:
    play("""
        budget   acme              allocated 10
        policy   p1 acme           overage REJECT
        event    acme 11           -> refused BUDGET_EXCEEDED
    """)


def test_a_policys_caps_come_with_the_permission() -> None:
    play("""
        budget   acme              allocated 100
        policy   p1 acme           max-tokens 50
        reserve  r1 acme 1         -> allowed with-caps max-tokens 50
        dry-run  acme 1            -> allowed with-caps max-tokens 50
        decide   acme 1            -> allowed with-caps max-tokens 50
        reserve  r2 acme 1 observe OBSERVE -> allowed observed with-caps max-tokens 50
        reserve  r2 acme 1000      -> denied BUDGET_EXCEEDED
    """)


def an_account(scope: str, caps: Caps | None) -> Account:
    budget = Budget(ledger_id=scope, created_at_ms=0, updated_at_ms=0, caps=caps)
    return Account(tenant="acme", scope=scope, unit=Unit.TOKENS, allocated=1, budget=budget)


def a_policy(caps: Caps | None) -> Policy:
    return Policy(policy_id="p", name="p", scope_pattern="tenant:acme", created_at_ms=0, caps=caps)


ROOT, LEAF, OF_POLICY = Caps(max_tokens=1), Caps(max_tokens=2), Caps(max_tokens=3)


@pytest.mark.parametrize(
    ("policy", "root", "leaf", "expected"),
    [
        (None, None, None, None),
        (None, ROOT, None, ROOT),
        (None, ROOT, LEAF, LEAF),
        (None, ROOT, Caps(), ROOT),
        (a_policy(None), ROOT, LEAF, LEAF),
        (a_policy(Caps()), ROOT, LEAF, LEAF),
        (a_policy(OF_POLICY), ROOT, LEAF, OF_POLICY),
    ],
)
def test_caps_are_the_policys_else_the_deepest_budgets(
    policy: Policy | None, root: Caps | None, leaf: Caps | None, expected: Caps | None
) -> None:
    accounts = (an_account("tenant:acme", root), an_account("tenant:acme/agent:bot", leaf))
    assert terms.caps(policy, accounts) == expected
