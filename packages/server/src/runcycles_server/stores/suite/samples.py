"""Records of every kind, bare and with everything that they can hold."""

from dataclasses import replace
from typing import Any, Final

from runcycles.ledger.policies import (
    Counter,
    DeclaredKind,
    Policy,
    PolicyBook,
    Quota,
    RateLimits,
    Stop,
    Stops,
    TtlOverride,
    counter_key,
)
from runcycles.ledger.state import (
    Account,
    Budget,
    Record,
    Remembered,
    Reservation,
    Tenant,
    TenantProfile,
)
from runcycles.types import (
    INT64_MAX,
    Action,
    Amount,
    BudgetStatus,
    Caps,
    ObserveMode,
    OveragePolicy,
    QuotaWindow,
    ReservationStatus,
    RiskClass,
    Subject,
    Unit,
    Usage,
)
from runcycles_server.records import ApiKey, AuditEntry, DecisionRecord, Setting
from runcycles_server.stores.suite.bench import (
    NOON_MS,
    SCOPE,
    TENANT,
    a_reservation,
    an_account,
)

FREE: Final[dict[str, Any]] = {"text": 'quote " and \\ and \n', "é": [1, 2.5, None, {"x": True}]}
"""JSON of every shape, as callers put it into metadata."""

FULL_CAPS: Final = Caps(
    max_tokens=1,
    max_steps_remaining=0,
    tool_allowlist=("a",),
    tool_denylist=("b", "c"),
    cooldown_ms=5,
)


def one_of_each() -> tuple[Record, ...]:
    """Records of every kind, the fullest and the barest of each."""
    return (
        *(full_account(), an_account(scope=f"{SCOPE}/agent:b", unit=Unit.CREDITS)),
        *(full_tenant(), Tenant(tenant_id="plain")),
        *(full_reservation(), given_back(), a_reservation("rsv-plain")),
        a_reply("full", reservation_id="rsv-full", lease_expires_at_ms=NOON_MS + 1),
        a_reply("plain"),
        *(full_key(), an_api_key("key_1", digest="00ff")),
        Setting(name="empty", value=""),
        *(full_book(), PolicyBook(tenant="plain")),
        full_stops(),
        *(full_counter(), a_counter(bucket="2030-03-17T17")),
        *(full_kind(), DeclaredKind(kind="custom.plain", risk_class=RiskClass.READ_ONLY)),
        *(full_entry(), an_entry("log_1")),
        *(full_decision(), a_decision("dec-1")),
    )


def full_account() -> Account:
    """An account at the edge of what can be counted."""
    return an_account(
        allocated=INT64_MAX,
        spent=1,
        reserved=2,
        debt=3,
        overdraft_limit=4,
        is_over_limit=True,
        status=BudgetStatus.FROZEN,
        budget=Budget(
            ledger_id="ledger-9",
            created_at_ms=NOON_MS,
            updated_at_ms=NOON_MS + 1,
            overage_policy=OveragePolicy.ALLOW_WITH_OVERDRAFT,
            rollover_policy="CARRY_FORWARD",
            period_start_ms=NOON_MS,
            period_end_ms=NOON_MS + 2,
            caps=FULL_CAPS,
            metadata=FREE,
        ),
    )


def full_tenant() -> Tenant:
    """A tenant about which everything was said, its status damaged."""
    return Tenant(
        tenant_id="full",
        status="damaged",
        overage_policy=OveragePolicy.REJECT,
        default_ttl_ms=1_000,
        max_ttl_ms=2_000,
        max_extensions=0,
        observe_mode=ObserveMode.OBSERVE,
        profile=TenantProfile(
            name="Full & Söhne",
            created_at_ms=NOON_MS,
            updated_at_ms=NOON_MS,
            parent_tenant_id="plain",
            reservation_expiry_policy="AUTO_RELEASE",
            suspended_at_ms=NOON_MS,
            closed_at_ms=NOON_MS,
            metadata={"k": "v"},
        ),
    )


def full_reservation() -> Reservation:
    """A committed reservation that says everything, an actual of zero included."""
    return a_reservation(
        "rsv-full",
        status=ReservationStatus.COMMITTED,
        subject=Subject(tenant="Acme", agent="Bot_1", dimensions={"run_id": "7"}),
        action=Action(kind="tool.call", name="send ✉", tags=("a", "b")),
        estimate=Amount(unit=Unit.RISK_POINTS, amount=INT64_MAX),
        affected_scopes=("tenant:acme", "tenant:acme/agent:bot_1"),
        budgeted_scopes=("tenant:acme/agent:bot_1",),
        overage_policy=OveragePolicy.ALLOW_IF_AVAILABLE,
        extension_count=3,
        finalized_at_ms=NOON_MS + 9,
        charged=0,
        metadata=FREE,
        committed_metadata={},
        committed_metrics=Usage(tokens_input=1, model_version="m", custom=FREE),
        counted=(counter_key(TENANT, SCOPE, "tool.call", QuotaWindow.PER_RUN, 'a "\n" run'),),
    )


def given_back() -> Reservation:
    """A released reservation whose reason is empty, which is not the same as none."""
    return a_reservation(
        "rsv-given-back",
        status=ReservationStatus.RELEASED,
        finalized_at_ms=NOON_MS,
        release_reason="",
    )


def a_reply(key: str, **fields: Any) -> Remembered:
    """A reply of the checks' tenant, remembered for a day."""
    reply = Remembered(
        tenant=TENANT,
        endpoint="reserve",
        idempotency_key=key,
        fingerprint=bytes(range(32)),
        reply=b'{"decision":"ALLOW"}',
        expires_at_ms=NOON_MS + 86_400_000,
    )
    return replace(reply, **fields)


def an_api_key(key_id: str, **fields: Any) -> ApiKey:
    """A key of the checks' tenant."""
    key = ApiKey(
        key_id=key_id,
        tenant_id=TENANT,
        digest=key_id,
        key_prefix="cyc_x",
        name="a name",
        created_at_ms=NOON_MS,
        expires_at_ms=NOON_MS + 1,
    )
    return replace(key, **fields)


def full_key() -> ApiKey:
    """A revoked key that may do nothing anywhere."""
    return an_api_key(
        "key_2",
        digest="11ee",
        status="REVOKED",
        description="d",
        permissions=("a:b", "c:d"),
        scope_filter=(),
        revoked_at_ms=NOON_MS,
        revoked_reason="lost",
        metadata={"k": "v"},
        last_used_at_ms=NOON_MS,
    )


def a_policy(policy_id: str, **fields: Any) -> Policy:
    """A policy for the checks' tenant that says nothing."""
    policy = Policy(policy_id=policy_id, name="a name", scope_pattern=SCOPE, created_at_ms=NOON_MS)
    return replace(policy, **fields)


def full_policy() -> Policy:
    """A policy that says everything that one can say."""
    return a_policy(
        "pol_full",
        scope_pattern=f"{SCOPE}/agent:*",
        updated_at_ms=NOON_MS + 1,
        is_active=False,
        description="é",
        priority=-3,
        caps=FULL_CAPS,
        overage_policy=OveragePolicy.ALLOW_WITH_OVERDRAFT,
        ttl_override=TtlOverride(default_ttl_ms=1_000, max_ttl_ms=2_000, max_extensions=0),
        rate_limits=RateLimits(max_reservations_per_minute=1, max_commits_per_minute=2),
        effective_from_ms=NOON_MS,
        effective_until_ms=NOON_MS + 2,
        quotas=(
            Quota(max_calls=1, window=QuotaWindow.PER_HOUR, risk_class=RiskClass.HIGH_RISK),
            Quota(
                max_calls=100_000,
                window=QuotaWindow.PER_RUN,
                action_kind="tool.call",
                host_allowlist=("a.example", "b.example"),
                recipient_domain_allowlist=("c.example",),
                resource_type_allowlist=("row",),
                per_run_counter_ttl_ms=60_000,
                threshold_pct=0.1,
            ),
        ),
        allowed_action_kinds=("a.b", "c.d"),
        denied_action_kinds=("e.f",),
    )


def full_book() -> PolicyBook:
    """A book of policies, the fullest and the barest, in an order that is not that of their ids."""
    return PolicyBook(tenant=TENANT, policies=(full_policy(), a_policy("pol_bare")))


def full_stops() -> Stops:
    """Two stops that hold."""
    stops = (("stop_1", "*"), ("stop_2", SCOPE))
    return Stops(
        stops=tuple(
            Stop(stop_id=i, target=at, reason='a "reason"', stopped_by="ops", stopped_at_ms=NOON_MS)
            for i, at in stops
        )
    )


def a_counter(**fields: Any) -> Counter:
    """A counter of the checks' tenant that lives for an hour."""
    counter = Counter(
        tenant=TENANT,
        scope=SCOPE,
        counted="tool.call",
        window=QuotaWindow.PER_HOUR,
        bucket="2030-03-17T18",
        used=1,
        limit=10,
        policy_id="pol_full",
        begun_at_ms=NOON_MS - 5,
        expires_at_ms=NOON_MS + 3_660_000,
        last_incremented_at_ms=NOON_MS,
    )
    return replace(counter, **fields)


def full_counter() -> Counter:
    """A counter of a run with a strange name, at the edge of what can be counted."""
    window = QuotaWindow.PER_RUN
    return a_counter(counted="__risk__:high_risk", window=window, bucket="a/b\nc", used=INT64_MAX)


def full_kind() -> DeclaredKind:
    """A declared kind about which everything is said."""
    return DeclaredKind(
        kind="custom.full",
        risk_class=RiskClass.HIGH_RISK,
        description="é",
        policy_key_spec={"host": True, "recipient_domain": False, "resource_type": "row"},
    )


def an_entry(log_id: str, **fields: Any) -> AuditEntry:
    """An audit entry about which little is known."""
    entry = AuditEntry(
        log_id=log_id, at_ms=NOON_MS, tenant_id=TENANT, operation="createBudget", status=201
    )
    return replace(entry, **fields)


def full_entry() -> AuditEntry:
    """An audit entry about which everything is known."""
    return an_entry(
        "log_full",
        key_id="key_1",
        user_agent="curl/8",
        source_ip="::1",
        resource_type="budget",
        resource_id=f"{SCOPE}:TOKENS",
        request_id="req-1",
        trace_id="1" * 32,
        error_code="FORBIDDEN",
        details=FREE,
    )


def a_decision(decision_id: str, **fields: Any) -> DecisionRecord:
    """A record of a denial."""
    record = DecisionRecord(
        decision_id=decision_id,
        tenant=TENANT,
        at_ms=NOON_MS,
        reservation_id=None,
        request_ids=f"request of {decision_id}",
        trace_id=f"trace of {decision_id}",
        idempotency_key=f"key of {decision_id}",
        decision="DENY",
        reason="BUDGET_EXCEEDED",
        facts="{}",
    )
    return replace(record, **fields)


def full_decision() -> DecisionRecord:
    """A record of a permission, and of the next two like it."""
    return a_decision(
        "dec-full",
        reservation_id="rsv-full",
        request_ids="req-1\nreq-2\nreq-3",
        decision="ALLOW",
        reason=None,
        facts='{"é": [1]}',
        repeats=2,
    )
