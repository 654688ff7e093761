"""Every check and watch of the kit, by topic."""

from runcycles_server.conformance.checks import (
    bad_input,
    bodies,
    committing,
    evaluating,
    expiry,
    limits,
    listing,
    paging,
    racing,
    reading,
    refusing,
    remembering,
    reserving,
    scopes,
    settling,
    tenancy,
    tracing,
)
from runcycles_server.conformance.registry import Check, Watch

CHECKS: tuple[Check | Watch, ...] = (
    *reserving.topic.checks,
    *scopes.topic.checks,
    *committing.topic.checks,
    *settling.topic.checks,
    *evaluating.topic.checks,
    *expiry.topic.checks,
    *remembering.topic.checks,
    *racing.topic.checks,
    *tenancy.topic.checks,
    *tracing.topic.checks,
    *reading.topic.checks,
    *listing.topic.checks,
    *paging.topic.checks,
    *bodies.topic.checks,
    *refusing.topic.checks,
    *bad_input.topic.checks,
    *limits.topic.checks,
)

__all__ = ["CHECKS"]
