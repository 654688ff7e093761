"""Policies in pages."""

from collections.abc import Iterable
from dataclasses import replace

from runcycles.ledger.policies import Policy
from runcycles_server.governance.paging import page_of
from runcycles_server.governance.policies.bodies import PolicyPage, PolicyQuery
from runcycles_server.governance.policies.views import view


def page(policies: Iterable[Policy], query: PolicyQuery, *, tenant: str) -> PolicyPage:
    """The page of a tenant's policies that a query asks for."""
    rows, cursor = page_of(
        [policy for policy in policies if _holds(query, policy)],
        replace(query, tenant_id=tenant),
        order=lambda policy: policy.created_at_ms,
        id_of=lambda policy: policy.policy_id,
    )
    return PolicyPage(
        policies=tuple(view(policy) for policy in rows),
        next_cursor=cursor,
        has_more=cursor is not None,
    )


def _holds(query: PolicyQuery, policy: Policy) -> bool:
    counted = {quota.action_kind for quota in policy.quotas} - {None}
    named = {*counted, *policy.allowed_action_kinds, *policy.denied_action_kinds}
    return (
        (query.scope_pattern or policy.scope_pattern).lower() == policy.scope_pattern
        and query.status in (None, "ACTIVE" if policy.is_active else "DISABLED")
        and query.has_action_quotas in (None, bool(counted))
        and query.references_action_kind in (None, *named)
    )
