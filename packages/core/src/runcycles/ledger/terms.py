"""The terms on which something is allowed: who has the say about its lease, overage and caps.

The request comes first, then the policy that decides, then budgets, then the tenant.
"""

from typing import Final

from runcycles.ledger.policies import Policy, TtlOverride
from runcycles.ledger.state import (
    DEFAULT_MAX_EXTENSIONS,
    DEFAULT_MAX_TTL_MS,
    DEFAULT_TTL_MS,
    Account,
    Tenant,
)
from runcycles.types import Caps, OveragePolicy

_NOTHING_SAID: Final = TtlOverride()
_NO_CAPS: Final = Caps()


def lease_ms(asked: int | None, policy: Policy | None, owner: Tenant | None) -> int:
    """How long a hold lasts; neither the policy's ceiling nor the tenant's is passed."""
    override = _override(policy)
    default, most = (
        (DEFAULT_TTL_MS, DEFAULT_MAX_TTL_MS)
        if owner is None
        else (owner.default_ttl_ms, owner.max_ttl_ms)
    )
    if override.default_ttl_ms is not None:
        default = override.default_ttl_ms
    if override.max_ttl_ms is not None:
        most = min(most, override.max_ttl_ms)
    return min(default if asked is None else asked, most)


def max_extensions(policy: Policy | None, owner: Tenant | None) -> int:
    """How often a hold may be extended."""
    override = _override(policy)
    if override.max_extensions is not None:
        return override.max_extensions
    return DEFAULT_MAX_EXTENSIONS if owner is None else owner.max_extensions


def overage_policy(
    asked: OveragePolicy | None,
    policy: Policy | None,
    accounts: tuple[Account, ...],
    owner: Tenant | None,
) -> OveragePolicy:
    """What happens above the estimate; of the budgets the deepest that says something counts."""
    if asked is not None:
        return asked
    if policy is not None and policy.overage_policy is not None:
        return policy.overage_policy
    for account in reversed(accounts):
        if account.budget.overage_policy is not None:
            return account.budget.overage_policy
    return OveragePolicy.ALLOW_IF_AVAILABLE if owner is None else owner.overage_policy


def caps(policy: Policy | None, accounts: tuple[Account, ...]) -> Caps | None:
    """What limits come with a permission: the policy's, else the deepest budget's that has some."""
    if policy is not None and policy.caps not in (None, _NO_CAPS):
        return policy.caps
    for account in reversed(accounts):
        if account.budget.caps not in (None, _NO_CAPS):
            return account.budget.caps
    return None


def _override(policy: Policy | None) -> TtlOverride:
    return _NOTHING_SAID if policy is None or policy.ttl_override is None else policy.ttl_override
