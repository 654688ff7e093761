"""Tenants: who spends under one roof. Pure transitions, like the ledger's rules."""

from runcycles.errors import ErrorCode
from runcycles.ledger.state import (
    DEFAULT_MAX_EXTENSIONS,
    DEFAULT_MAX_TTL_MS,
    DEFAULT_TTL_MS,
    Outcome,
    Snapshot,
    Tenant,
    TenantProfile,
)
from runcycles.ops import Refused
from runcycles.types import OveragePolicy, TenantStatus
from runcycles_server.governance.bodies import TenantCreate, TenantView
from runcycles_server.governance.moments import iso, iso_or_none
from runcycles_server.governance.outcomes import Made


def create(snapshot: Snapshot, request: TenantCreate) -> Outcome[Made[Tenant] | Refused]:
    """A new tenant, or the one that already has this id and name."""
    found = snapshot.tenant(request.tenant_id)
    if found is not None:
        if profile_of(found).name == request.name:
            return Outcome(Made(found, is_new=False))
        return Outcome(
            Refused(
                code=ErrorCode.DUPLICATE_RESOURCE,
                message=f"The tenant {request.tenant_id} exists and has another name",
            )
        )

    # From here on it succeeds.
    profile = TenantProfile(
        name=request.name,
        created_at_ms=snapshot.now_ms,
        parent_tenant_id=request.parent_tenant_id,
        reservation_expiry_policy=request.reservation_expiry_policy or "AUTO_RELEASE",
        metadata=request.metadata,
    )
    tenant = Tenant(
        tenant_id=request.tenant_id,
        overage_policy=request.default_commit_overage_policy or OveragePolicy.ALLOW_IF_AVAILABLE,
        default_ttl_ms=request.default_reservation_ttl_ms or DEFAULT_TTL_MS,
        max_ttl_ms=request.max_reservation_ttl_ms or DEFAULT_MAX_TTL_MS,
        max_extensions=(
            DEFAULT_MAX_EXTENSIONS
            if request.max_reservation_extensions is None
            else request.max_reservation_extensions
        ),
        profile=profile,
    )
    return Outcome(Made(tenant, is_new=True), (tenant,))


def unknown(tenant_id: str) -> Refused:
    """There is no tenant under this id."""
    return Refused(code=ErrorCode.TENANT_NOT_FOUND, message=f"There is no tenant {tenant_id}")


def closed(tenant_id: str) -> Refused:
    """The tenant is closed, so nothing of it changes any more."""
    return Refused(
        code=ErrorCode.TENANT_CLOSED,
        message=f"The tenant {tenant_id} is closed; nothing of it can change",
    )


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
        metadata=None if profile.metadata is None else dict(profile.metadata),
        updated_at=iso_or_none(profile.updated_at_ms),
        suspended_at=iso_or_none(profile.suspended_at_ms),
        closed_at=iso_or_none(profile.closed_at_ms),
    )
