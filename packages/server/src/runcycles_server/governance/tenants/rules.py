"""What may be done to tenants. Pure transitions, like the ledger's rules."""

from dataclasses import replace
from typing import Any

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
from runcycles.types import ObserveMode, OveragePolicy, TenantStatus
from runcycles_server.governance.outcomes import Made
from runcycles_server.governance.refusals import closed_tenant, unknown_tenant
from runcycles_server.governance.tenants.bodies import TenantCreate, TenantUpdate
from runcycles_server.governance.tenants.views import profile_of


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
        observe_mode=request.observe_mode or ObserveMode.ENFORCE,
        profile=profile,
    )
    return Outcome(Made(tenant, is_new=True), (tenant,))


def update(snapshot: Snapshot, request: TenantUpdate, tenant_id: str) -> Outcome[Tenant | Refused]:
    """The tenant with what is to be different; what is already so changes nothing.

    A closed tenant stays as it is. To close it once more is no fault, so that a request may be
    repeated.
    """
    found = snapshot.tenant(tenant_id)
    if found is None:
        return Outcome(unknown_tenant(tenant_id))
    before = replace(found, profile=profile_of(found))
    after = _with(before, request)
    if before.status == TenantStatus.CLOSED and (after != before or request.status is None):
        return Outcome(_closed_for_good(request, tenant_id))
    if after == before:
        return Outcome(found)

    # From here on it succeeds.
    after = replace(after, profile=_stamped(after, before, snapshot.now_ms))
    return Outcome(after, (after,))


def _with(tenant: Tenant, request: TenantUpdate) -> Tenant:
    profile = {"name": request.name, "metadata": request.metadata}
    own = {
        "status": request.status,
        "overage_policy": request.default_commit_overage_policy,
        "default_ttl_ms": request.default_reservation_ttl_ms,
        "max_ttl_ms": request.max_reservation_ttl_ms,
        "max_extensions": request.max_reservation_extensions,
        "observe_mode": request.observe_mode,
    }
    profile_after = replace(profile_of(tenant), **_said(profile))
    return replace(tenant, profile=profile_after, **_said(own))


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _stamped(after: Tenant, before: Tenant, now_ms: int) -> TenantProfile:
    """The profile with the moments of this change; one says when a suspension that holds began."""
    profile = replace(profile_of(after), updated_at_ms=now_ms)
    if after.status == before.status:
        return profile
    match after.status:
        case TenantStatus.SUSPENDED:
            return replace(profile, suspended_at_ms=now_ms)
        case TenantStatus.CLOSED:
            return replace(profile, closed_at_ms=now_ms)
        case _:
            return replace(profile, suspended_at_ms=None)


def _closed_for_good(request: TenantUpdate, tenant_id: str) -> Refused:
    if request.status in (None, TenantStatus.CLOSED):
        return closed_tenant(tenant_id)
    return Refused(
        code=ErrorCode.INVALID_REQUEST,
        message=f"Cannot transition from CLOSED: the tenant {tenant_id} was closed for good",
    )
