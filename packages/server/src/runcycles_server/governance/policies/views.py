"""Policies as operators read them."""

from runcycles.ledger.policies import Policy, Quota
from runcycles.types import RiskClass
from runcycles_server.governance.moments import iso, iso_or_none
from runcycles_server.governance.policies.bodies import ActionQuota, PolicyView, RiskClassQuota


def view(policy: Policy) -> PolicyView:
    """A policy as operators read it."""
    return PolicyView(
        policy_id=policy.policy_id,
        name=policy.name,
        description=policy.description,
        scope_pattern=policy.scope_pattern,
        status="ACTIVE" if policy.is_active else "DISABLED",
        priority=policy.priority,
        caps=policy.caps,
        commit_overage_policy=policy.overage_policy,
        reservation_ttl_override=policy.ttl_override,
        rate_limits=policy.rate_limits,
        effective_from=iso_or_none(policy.effective_from_ms),
        effective_until=iso_or_none(policy.effective_until_ms),
        action_quotas=tuple(_of_kind(q, q.action_kind) for q in policy.quotas if q.action_kind),
        risk_class_quotas=tuple(_of_class(q, q.risk_class) for q in policy.quotas if q.risk_class),
        allowed_action_kinds=policy.allowed_action_kinds,
        denied_action_kinds=policy.denied_action_kinds,
        created_at=iso(policy.created_at_ms),
        updated_at=iso_or_none(policy.updated_at_ms),
    )


def _of_kind(quota: Quota, kind: str) -> ActionQuota:
    return ActionQuota(
        action_kind=kind,
        max_calls=quota.max_calls,
        window=quota.window,
        host_allowlist=quota.host_allowlist,
        recipient_domain_allowlist=quota.recipient_domain_allowlist,
        resource_type_allowlist=quota.resource_type_allowlist,
        per_run_counter_ttl_ms=quota.per_run_counter_ttl_ms,
        threshold_pct=quota.threshold_pct,
    )


def _of_class(quota: Quota, risk_class: RiskClass) -> RiskClassQuota:
    return RiskClassQuota(
        risk_class=risk_class,
        max_calls=quota.max_calls,
        window=quota.window,
        per_run_counter_ttl_ms=quota.per_run_counter_ttl_ms,
        threshold_pct=quota.threshold_pct,
    )
