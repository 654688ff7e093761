"""What may be done to policies. Pure transitions, like the ledger's rules.

A change of its quotas leaves a policy's counters as they are: they count what happened, whatever
the limit is.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from runcycles.actions import ACTION_KINDS, CUSTOM_PREFIX
from runcycles.errors import ErrorCode
from runcycles.ledger.policies import (
    MAX_POLICIES,
    Policy,
    PolicyBook,
    Quota,
    RateLimits,
    TtlOverride,
    kind_key,
    policies_key,
)
from runcycles.ledger.state import Need, Outcome, Snapshot
from runcycles.ops import Refused
from runcycles.types import Caps, QuotaWindow, TenantStatus
from runcycles_server.governance.moments import epoch_ms
from runcycles_server.governance.policies.bodies import (
    ActionQuota,
    PolicyCreate,
    PolicyTerms,
    PolicyUpdate,
    RiskClassQuota,
)
from runcycles_server.governance.refusals import closed_tenant, invalid_field, unknown_tenant
from runcycles_server.governance.scopes import owner_of

_EMPTY: Final = (Caps(), TtlOverride(), RateLimits(), "")
"""What clears a member that is no list."""


def create(
    snapshot: Snapshot, request: PolicyCreate, *, tenant: str, pattern: str, policy_id: str
) -> Outcome[Policy | Refused] | Need:
    """A new policy for a canonical pattern of this tenant."""
    if owner_of(pattern) != tenant:
        reason = f"{pattern} does not belong to the tenant {tenant}"
        return Outcome(invalid_field("scope_pattern", reason))
    policy = Policy(
        policy_id=policy_id,
        name=request.name,
        scope_pattern=pattern,
        created_at_ms=snapshot.now_ms,
        quotas=_quotas(request, ()),
        **_terms(request),
    )
    return _keep(snapshot, tenant, policy)


def update(
    snapshot: Snapshot, request: PolicyUpdate, *, tenant: str, policy_id: str
) -> Outcome[Policy | Refused] | Need:
    """A policy of this tenant with what the request says; what it does not mention stays."""
    before = book_of(snapshot, tenant).policy(policy_id)
    if before is None:
        return Outcome(unknown_policy(policy_id))
    policy = replace(
        before,
        name=request.name or before.name,
        is_active=before.is_active if request.status is None else request.status == "ACTIVE",
        updated_at_ms=snapshot.now_ms,
        quotas=_quotas(request, before.quotas),
        **_terms(request),
    )
    return _keep(snapshot, tenant, policy)


def book_of(snapshot: Snapshot, tenant: str) -> PolicyBook:
    """The policies of a tenant."""
    found: PolicyBook | None = snapshot.records[policies_key(tenant)]
    return found or PolicyBook(tenant=tenant)


def unknown_policy(policy_id: str) -> Refused:
    """There is no policy under this id."""
    return Refused(code=ErrorCode.NOT_FOUND, message=f"There is no policy {policy_id}")


def _keep(snapshot: Snapshot, tenant: str, policy: Policy) -> Outcome[Policy | Refused] | Need:
    """The policy in its tenant's book, unless something is wrong with it."""
    kinds = tuple(kind_key(kind) for _, kind in _kinds_of(policy) if _is_custom(kind))
    if missing := snapshot.missing(kinds):
        return Need(missing)
    book = book_of(snapshot, tenant)
    others = tuple(each for each in book.policies if each.policy_id != policy.policy_id)
    if refusal := _fault(snapshot, tenant, policy) or _conflict(policy, others):
        return Outcome(refusal)

    # From here on it succeeds.
    return Outcome(policy, (book.keeping(policy),))


def _fault(snapshot: Snapshot, tenant: str, policy: Policy) -> Refused | None:
    """What is wrong with a policy, whatever others there are."""
    owner = snapshot.tenant(tenant)
    if owner is None:
        return unknown_tenant(tenant)
    if owner.status == TenantStatus.CLOSED:
        return closed_tenant(tenant)
    since, until = policy.effective_from_ms, policy.effective_until_ms
    if since is not None and until is not None and since >= until:
        return invalid_field("effective_until", "it must be later than effective_from")
    if policy.allowed_action_kinds and policy.denied_action_kinds:
        return invalid_field(
            "denied_action_kinds",
            "a policy either lists what is allowed or what is denied; make one of them []",
        )
    for field, kind in _kinds_of(policy):
        if kind not in ACTION_KINDS and snapshot.records.get(kind_key(kind)) is None:
            return invalid_field(field, _unknown_kind(kind))
    for field, quota in _fields_of(policy):
        if quota.per_run_counter_ttl_ms is not None and quota.window is not QuotaWindow.PER_RUN:
            return invalid_field(
                f"{field}.per_run_counter_ttl_ms", f"it is for per_run alone, not {quota.window}"
            )
    return None


def _conflict(policy: Policy, others: tuple[Policy, ...]) -> Refused | None:
    """Why the policy cannot stand beside the others of its tenant."""
    for other in others:
        if other.name == policy.name:
            return Refused(
                code=ErrorCode.DUPLICATE_RESOURCE,
                message=f"The policy {other.policy_id} has the name {other.name!r} already",
            )
    if len(others) >= MAX_POLICIES:
        return Refused(
            code=ErrorCode.INVALID_REQUEST,
            message=f"The tenant has {MAX_POLICIES} policies, which is the most; change one",
        )
    return None


def _terms(request: PolicyTerms) -> dict[str, Any]:
    """The members of a policy that a request says something about."""
    said = {
        "description": request.description,
        "priority": request.priority,
        "caps": request.caps,
        "overage_policy": request.commit_overage_policy,
        "ttl_override": request.reservation_ttl_override,
        "rate_limits": request.rate_limits,
        "effective_from_ms": request.effective_from and epoch_ms(request.effective_from),
        "effective_until_ms": request.effective_until and epoch_ms(request.effective_until),
        "allowed_action_kinds": _each_once(request.allowed_action_kinds),
        "denied_action_kinds": _each_once(request.denied_action_kinds),
    }
    return {
        name: None if value in _EMPTY else value
        for name, value in said.items()
        if value is not None
    }


def _each_once(kinds: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if kinds is None else tuple(dict.fromkeys(kinds))


def _quotas(request: PolicyTerms, before: tuple[Quota, ...]) -> tuple[Quota, ...]:
    """The quotas after a request: each of its two lists replaces the quotas of its sort."""
    by_kind, by_class = request.action_quotas, request.risk_class_quotas
    return (
        *(
            (quota for quota in before if quota.action_kind)
            if by_kind is None
            else map(_quota, by_kind)
        ),
        *(
            (quota for quota in before if quota.risk_class)
            if by_class is None
            else map(_quota, by_class)
        ),
    )


def _quota(said: ActionQuota | RiskClassQuota) -> Quota:
    return Quota(**{name: getattr(said, name) for name in said.__slots__})


def _kinds_of(policy: Policy) -> Iterator[tuple[str, str]]:
    """Every kind that a policy names, with the field that names it."""
    for field, quota in _fields_of(policy):
        if quota.action_kind is not None:
            yield f"{field}.action_kind", quota.action_kind
    for field, kinds in (
        ("allowed_action_kinds", policy.allowed_action_kinds),
        ("denied_action_kinds", policy.denied_action_kinds),
    ):
        for number, kind in enumerate(kinds):
            yield f"{field}.{number}", kind


def _fields_of(policy: Policy) -> Iterator[tuple[str, Quota]]:
    """Every quota of a policy, with the field that it has on the wire."""
    by_kind = [quota for quota in policy.quotas if quota.action_kind is not None]
    by_class = [quota for quota in policy.quotas if quota.risk_class is not None]
    for field, quotas in (("action_quotas", by_kind), ("risk_class_quotas", by_class)):
        for number, quota in enumerate(quotas):
            yield f"{field}.{number}", quota


def _is_custom(kind: str) -> bool:
    return kind.startswith(CUSTOM_PREFIX)


def _unknown_kind(kind: str) -> str:
    if _is_custom(kind):
        return f"{kind!r} is not declared; POST /v1/x-runcycles/action-kinds declares it"
    return f"there is no action kind {kind!r}; GET /v1/action-kinds lists them"
