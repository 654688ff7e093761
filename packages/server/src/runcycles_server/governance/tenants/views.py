"""Tenants as operators read them."""

from runcycles.ledger.state import Tenant, TenantProfile
from runcycles.types import TenantStatus
from runcycles_server.governance.moments import iso, iso_or_none
from runcycles_server.governance.tenants.bodies import TenantView


def profile_of(tenant: Tenant) -> TenantProfile:
    """What the operator said about a tenant; one made without a profile is called by its id."""
    return tenant.profile or TenantProfile(name=tenant.tenant_id, created_at_ms=0)


def view(tenant: Tenant) -> TenantView:
    """A tenant as the operator reads it."""
    profile = profile_of(tenant)
    return TenantView(
        tenant_id=tenant.tenant_id,
        name=profile.name,
        status=TenantStatus(tenant.status),
        created_at=iso(profile.created_at_ms),
        parent_tenant_id=profile.parent_tenant_id,
        default_commit_overage_policy=tenant.overage_policy,
        default_reservation_ttl_ms=tenant.default_ttl_ms,
        max_reservation_ttl_ms=tenant.max_ttl_ms,
        max_reservation_extensions=tenant.max_extensions,
        reservation_expiry_policy=profile.reservation_expiry_policy,
        observe_mode=tenant.observe_mode,
        metadata=None if profile.metadata is None else dict(profile.metadata),
        updated_at=iso_or_none(profile.updated_at_ms),
        suspended_at=iso_or_none(profile.suspended_at_ms),
        closed_at=iso_or_none(profile.closed_at_ms),
    )
