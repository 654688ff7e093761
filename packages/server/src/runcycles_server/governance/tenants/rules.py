"""What may be done to tenants. Pure transitions, like the ledger's rules."""

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
from runcycles.types import OveragePolicy
from runcycles_server.governance.outcomes import Made
from runcycles_server.governance.tenants.bodies import TenantCreate
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
        profile=profile,
    )
    return Outcome(Made(tenant, is_new=True), (tenant,))
