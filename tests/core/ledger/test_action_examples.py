"""The protocol's published examples of authority, with the shapes that its schemas give them.

Where an example and the schema differ (scopes as objects, paths with arrows), the schema counts.
Its notifications about thresholds and observed decisions belong to no answer and are not here.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from runcycles.errors import ActionDeniedError, BudgetExceededError
from runcycles.ledger.policies import Quota
from runcycles.ops import Allowed, Denied, Reserve
from runcycles.testing import FakeClock, InMemoryAuthority
from runcycles.types import (
    Action,
    Amount,
    Caps,
    ObserveMode,
    PolicyKeys,
    QuotaViolation,
    QuotaWindow,
    RiskClass,
    Subject,
    Unit,
    Verdict,
)

HALF_PAST_TWO = int(datetime(2026, 4, 9, 14, 32, 10, tzinfo=UTC).timestamp() * 1_000)
RUN = "run-abc-123"
SUBJECT = Subject(tenant="acme", agent="support-bot", dimensions={"run_id": RUN})
LEAF = "tenant:acme/agent:support-bot"
EMAIL = "message.email.send"
SENDGRID = PolicyKeys(host="api.sendgrid.com", recipient_domain="customer.com")


def micro(amount: int) -> Amount:
    return Amount(unit=Unit.USD_MICROCENTS, amount=amount)


class Example:
    """The world of the examples: a tenant with a million, an agent with fifty thousand."""

    def __init__(self) -> None:
        budgets = {"tenant:acme": micro(1_000_000), LEAF: micro(50_000)}
        self.authority = InMemoryAuthority(budgets=budgets, clock=FakeClock(now_ms=HALF_PAST_TWO))
        self.asked = 0

    def reserve(self, kind: str, name: str, amount: int, **fields: Any) -> Any:
        self.asked += 1
        keys = fields.pop("policy_keys", None)
        given = {"subject": SUBJECT, **fields}
        op = Reserve(
            idempotency_key=f"idem-{self.asked:03}",
            action=Action(kind=kind, name=name, policy_keys=keys),
            estimate=micro(amount),
            **given,
        )
        return self.authority.send(op)

    def remaining(self) -> dict[str, int]:
        return {account.scope: account.remaining for account in self.authority.accounts()}

    def used(self) -> dict[tuple[str, str], int]:
        return {(each.counted, each.bucket): each.used for each in self.authority.counters()}

    def use(self, times: int, kind: str = EMAIL, **fields: Any) -> None:
        for _ in range(times):
            self.reserve(kind, "before", 0, **fields)


@pytest.fixture
def example() -> Example:
    return Example()


def test_1_what_is_within_budget_is_allowed(example: Example) -> None:
    answer = example.reserve("llm.completion", "generate-reply", 5_000, ttl_ms=30_000)
    assert isinstance(answer, Allowed)
    assert answer.decision is Verdict.ALLOW
    assert answer.reserved == micro(5_000)
    assert answer.expires_at_ms == HALF_PAST_TWO + 30_000
    assert answer.affected_scopes == ("tenant:acme", LEAF)
    assert answer.scope_path == LEAF
    assert example.remaining() == {"tenant:acme": 995_000, LEAF: 45_000}


def test_2_a_denied_kind_is_denied_before_quota_and_budget(example: Example) -> None:
    example.authority.add_policy(
        "tenant:acme",
        policy_id="pol_sandbox_001",
        denied_action_kinds=("payment.charge", "payment.refund", "code.deploy"),
        quotas=(Quota(max_calls=1, window=QuotaWindow.PER_HOUR, action_kind="payment.charge"),),
    )
    keys = PolicyKeys(host="api.stripe.com")
    answer = example.reserve(
        "payment.charge", "charge-customer", 100_000, dry_run=True, policy_keys=keys
    )
    assert isinstance(answer, Denied)
    assert answer.reason_code == "ACTION_KIND_DENIED"
    assert answer.detail is not None
    assert answer.detail.reason_code == "ACTION_KIND_DENIED"
    assert answer.detail.blocked_by_policy == "pol_sandbox_001"
    assert answer.detail.suggested_fix
    assert answer.detail.quota_violation is None
    assert answer.detail.budget_remaining is None


def test_3_a_kind_that_is_not_allowed_is_denied(example: Example) -> None:
    example.authority.add_policy(
        "tenant:acme",
        policy_id="pol_readonly_001",
        allowed_action_kinds=("db.query", "llm.completion", "llm.embedding"),
    )
    answer = example.reserve(EMAIL, "notify", 1_000, dry_run=True, policy_keys=SENDGRID)
    assert isinstance(answer, Denied)
    assert answer.reason_code == "ACTION_KIND_NOT_ALLOWED"
    assert answer.detail is not None
    assert answer.detail.blocked_by_policy == "pol_readonly_001"


def test_4_a_used_up_risk_class_is_denied(example: Example) -> None:
    example.authority.add_policy(
        LEAF,
        policy_id="pol_agent_defaults",
        quotas=(
            Quota(
                max_calls=50,
                window=QuotaWindow.PER_HOUR,
                risk_class=RiskClass.EXTERNAL_SIDE_EFFECT,
            ),
        ),
    )
    example.use(25)
    example.use(25, "message.slack.post")
    with pytest.raises(ActionDeniedError) as denied:
        example.reserve(EMAIL, "send", 500)
    assert (denied.value.status, denied.value.error_code) == (409, "ACTION_QUOTA_EXCEEDED")
    assert denied.value.quota == QuotaViolation(
        action_kind=EMAIL,
        risk_class=RiskClass.EXTERNAL_SIDE_EFFECT,
        window=QuotaWindow.PER_HOUR,
        window_key="2026-04-09T14",
        used=50,
        limit=50,
        scope=LEAF,
        policy_id="pol_agent_defaults",
    )


def emails_of_a_run(limit: int, policy_id: str = "pol_support_agent") -> dict[str, Any]:
    quota = Quota(max_calls=limit, window=QuotaWindow.PER_RUN, action_kind=EMAIL, threshold_pct=0.8)
    return {"scope_pattern": LEAF, "policy_id": policy_id, "quotas": (quota,)}


def test_5_a_used_up_kind_is_denied(example: Example) -> None:
    example.authority.add_policy(**emails_of_a_run(3))
    example.use(3)
    with pytest.raises(ActionDeniedError) as denied:
        example.reserve(EMAIL, "fourth", 500)
    assert denied.value.status == 409
    assert denied.value.quota == QuotaViolation(
        action_kind=EMAIL,
        window=QuotaWindow.PER_RUN,
        window_key=RUN,
        used=3,
        limit=3,
        scope=LEAF,
        policy_id="pol_support_agent",
    )


def test_6_what_is_beyond_the_budget_is_denied_with_what_is_missing(example: Example) -> None:
    example.reserve("llm.completion", "before", 5_000)
    with pytest.raises(BudgetExceededError) as denied:
        example.reserve("llm.completion", "generate-report", 500_000)
    assert (denied.value.status, denied.value.scope, denied.value.remaining) == (409, LEAF, 45_000)
    assert "455000" in (denied.value.suggested_fix or "")


def test_7_a_tenant_that_observes_is_told_of_a_used_up_quota(example: Example) -> None:
    example.authority.add_policy(**emails_of_a_run(3))
    example.use(3)
    example.authority.set_tenant(observe_mode=ObserveMode.OBSERVE)
    before = example.remaining(), example.used()
    answer = example.reserve(EMAIL, "send-alert", 500)
    assert isinstance(answer, Denied)
    assert (answer.status, answer.reason_code) == (200, "ACTION_QUOTA_EXCEEDED")
    assert (example.remaining(), example.used()) == before


def test_8_a_tenant_that_observes_holds_nothing(example: Example) -> None:
    example.authority.set_tenant(observe_mode=ObserveMode.OBSERVE)
    answer = example.reserve("llm.completion", "summarize-thread", 3_000)
    assert isinstance(answer, Allowed)
    assert (answer.reservation_id, answer.expires_at_ms) == (None, None)
    assert answer.affected_scopes == ("tenant:acme", LEAF)
    assert example.remaining()[LEAF] == 50_000


def test_9_the_eighth_of_ten_is_allowed_and_counted(example: Example) -> None:
    example.authority.add_policy(**emails_of_a_run(10))
    example.use(7)
    answer = example.reserve(EMAIL, "eighth", 500, ttl_ms=90_000)
    assert isinstance(answer, Allowed)
    assert answer.expires_at_ms == HALF_PAST_TWO + 90_000
    assert example.used() == {(EMAIL, RUN): 8}


def test_10_a_request_may_observe_by_itself(example: Example) -> None:
    answer = example.reserve("llm.completion", "draft", 2_000, observe_mode=ObserveMode.OBSERVE)
    assert isinstance(answer, Allowed)
    assert answer.reservation_id is None
    assert example.remaining()[LEAF] == 50_000


def test_11_of_two_windows_the_used_up_one_is_named(example: Example) -> None:
    example.authority.add_policy(
        LEAF,
        policy_id="pol_burst_protection",
        quotas=(
            Quota(max_calls=5, window=QuotaWindow.PER_MINUTE, action_kind=EMAIL),
            Quota(max_calls=100, window=QuotaWindow.PER_HOUR, action_kind=EMAIL),
        ),
    )
    example.use(5)
    example.authority.clock.advance(60_000)
    example.use(5)
    with pytest.raises(ActionDeniedError) as denied:
        example.reserve(EMAIL, "batch-send-6", 500)
    quota = denied.value.quota
    assert quota is not None
    assert (quota.window, quota.used, quota.limit) == (QuotaWindow.PER_MINUTE, 5, 5)
    assert example.used()[EMAIL, "2026-04-09T14"] == 10


def test_12_an_agent_may_spawn_only_so_many(example: Example) -> None:
    subject = Subject(tenant="acme", agent="orchestrator", dimensions={"run_id": "run-orch-001"})
    scope = "tenant:acme/agent:orchestrator"
    example.authority.add_policy(
        scope,
        policy_id="pol_agent_safety",
        quotas=(Quota(max_calls=5, window=QuotaWindow.PER_RUN, action_kind="agent.spawn"),),
    )
    example.use(5, "agent.spawn", subject=subject)
    with pytest.raises(ActionDeniedError) as denied:
        example.reserve("agent.spawn", "spawn", 100_000, subject=subject)
    quota = denied.value.quota
    assert quota is not None
    assert (quota.scope, quota.window_key) == (scope, "run-orch-001")
    assert (quota.used, quota.limit) == (5, 5)


def test_caps_come_with_an_allowance(example: Example) -> None:
    example.authority.add_policy("tenant:acme", caps=Caps(max_tokens=100, cooldown_ms=5))
    answer = example.reserve("llm.completion", "short", 10)
    assert answer.decision is Verdict.ALLOW_WITH_CAPS
    assert answer.caps == Caps(max_tokens=100, cooldown_ms=5)
