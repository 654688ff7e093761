"""Counters by themselves: what they cannot be, and how an operator sets one back."""

from dataclasses import replace

import pytest

from runcycles.ledger import policies
from runcycles.ledger.counting import given_back, reset
from runcycles.ledger.policies import Counter, PolicyBook, Quota
from runcycles.ledger.state import Snapshot
from runcycles.testing import InMemoryAuthority, play
from runcycles.types import QuotaWindow, RiskClass, tokens

DAY = 86_400_000


def a_counter(window: QuotaWindow, used: int = 3) -> Counter:
    return Counter(
        tenant="acme",
        scope="tenant:acme",
        counted="message.email.send",
        window=window,
        bucket="one",
        used=used,
        limit=5,
        policy_id="p1",
        begun_at_ms=0,
        expires_at_ms=1_000 + DAY,
        last_incremented_at_ms=1_000,
    )


def test_a_counter_never_falls_below_nothing() -> None:
    with pytest.raises(AssertionError, match="below nothing"):
        a_counter(QuotaWindow.PER_RUN, used=-1)


@pytest.mark.parametrize(
    "counted", [{}, {"action_kind": "db.query", "risk_class": RiskClass.READ_ONLY}]
)
def test_a_quota_counts_one_thing(counted: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="a kind or a risk class"):
        Quota(max_calls=1, window=QuotaWindow.PER_RUN, **counted)  # type: ignore[arg-type]  # so


@pytest.mark.parametrize(
    ("window", "expires_at_ms"),
    [(QuotaWindow.PER_RUN, 5_000 + DAY), (QuotaWindow.PER_DAY, 1_000 + DAY)],
)
def test_a_reset_counter_begins_anew_and_that_of_a_run_is_kept_as_long_as_a_new_one(
    window: QuotaWindow, expires_at_ms: int
) -> None:
    counter = reset(a_counter(window), 5_000)
    assert (counter.used, counter.begun_at_ms, counter.expires_at_ms) == (0, 5_000, expires_at_ms)


def test_what_was_counted_before_a_reset_is_not_given_back_after_it() -> None:
    authority = InMemoryAuthority(budgets={"tenant:acme": tokens(100)})
    play(
        """
        policy   p1 acme    quotas db.query=5/run
        reserve  before acme 1 kind db.query run one -> allowed
        advance  1s
    """,
        authority,
    )
    (counter,), (before,) = authority.counters(), authority.reservations()
    now_ms = authority.clock.now_ms()
    one_later = replace(reset(counter, now_ms), used=1)
    assert given_back(Snapshot(now_ms, {counter.key: one_later}), before) == ()
    (given,) = given_back(Snapshot(now_ms, {counter.key: counter}), before)
    assert given.used == 0


def test_a_book_finds_its_policies_by_their_ids_and_keeps_one_of_each() -> None:
    authority = InMemoryAuthority()
    authority.add_policy("tenant:acme", policy_id="p1", name="first")
    second = authority.add_policy("tenant:acme", policy_id="p1", name="second")
    book = PolicyBook(tenant="acme").keeping(second)
    assert book.policy("p1") is second
    assert book.policy("p2") is None
    assert book.keeping(replace(second, name="third")).policies == (replace(second, name="third"),)


def test_a_book_forgets_whom_it_knows_by_heart_rather_than_grow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policies, "MAX_MATCHED", 2)
    authority = InMemoryAuthority()
    policy = authority.add_policy("tenant:acme")
    book = PolicyBook(tenant="acme", policies=(policy,))
    for number in range(5):
        match = book.match(("tenant:acme", f"tenant:acme/agent:{number}"), 0)
        assert match is not None
        assert (match.policy, match.scope) == (policy, "tenant:acme")
        assert len(book.matched) <= 2
