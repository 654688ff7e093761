"""Records of every kind, bare and with everything that they can hold."""

from dataclasses import replace
from typing import Any, Final

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
    OveragePolicy,
    ReservationStatus,
    Subject,
    Unit,
    Usage,
)
from runcycles_server.records import ApiKey, Setting
from runcycles_server.stores.suite.bench import (
    NOON_MS,
    SCOPE,
    TENANT,
    a_reservation,
    an_account,
)

FREE: Final[dict[str, Any]] = {"text": 'quote " and \\ and \n', "é": [1, 2.5, None, {"x": True}]}
"""JSON of every shape, as callers put it into metadata."""


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
    )
