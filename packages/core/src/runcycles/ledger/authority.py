"""Every rule about what an agent may do lives in this file, as those about money do in `rules`.

One pass before any budget is looked at: the stops, then the one policy that decides, its lists,
its quotas, its rate limit. Where nobody has said anything it costs two lookups.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from runcycles.actions import ACTION_KINDS, CUSTOM_PREFIX, ActionKind, risk_class_of
from runcycles.ledger.action_refusals import (
    kind_denied,
    kind_not_allowed,
    quota_used_up,
    rate_limited,
    run_id_missing,
    stopped,
    undeclared_kind,
)
from runcycles.ledger.counting import COMMITS, RESERVATIONS, Considered, counted_as, counter_at
from runcycles.ledger.policies import (
    STOPS_KEY,
    Counter,
    DeclaredKind,
    Limit,
    Match,
    Policy,
    PolicyBook,
    Quota,
    RateLimits,
    Stop,
    Stops,
    counter_key,
    kind_key,
    policies_key,
)
from runcycles.ledger.state import Key, Need, Reservation, Snapshot, Tenant, frozen_record
from runcycles.ledger.windows import bucket_of, letters_of, minute_of
from runcycles.ops import Decide, Record, Refused, Reserve, Subjected
from runcycles.scopes import effective_lineage
from runcycles.types import Action, ObserveMode, QuotaWindow, RiskClass

RUN_ID: Final = "run_id"
"""The dimension of a subject that says to which run a question belongs."""
_MINUTE: Final = QuotaWindow.PER_MINUTE
_NO_LIMITS: Final = RateLimits()
_FILTERS: Final = ("host", "recipient_domain", "resource_type")
"""The policy keys that a quota can look at; each has its list in the quota."""
MAX_KINDS_KEPT: Final = 256
"""Kinds whose limits a match keeps; those of others are worked out each time."""


@frozen_record()
class Standing:
    """What authority saw when it looked at a question, in the order in which it looks.

    It goes no further than to the first `refusal`. `observed` says that a refusal is only told.
    """

    risk_class: RiskClass
    observed: bool = False
    stop: Stop | None = None
    match: Match | None = None
    quotas: tuple[Considered, ...] = ()
    rate: Considered | None = None
    refusal: Refused | None = None

    @property
    def policy(self) -> Policy | None:
        """The policy that decides."""
        return None if self.match is None else self.match.policy

    def counters(self, now_ms: int) -> tuple[Counter, ...]:
        """Every counter after one more reservation."""
        limits = self.quotas if self.rate is None else (*self.quotas, self.rate)
        return tuple([each.one_more(now_ms) for each in limits])


def authority_keys(op: Subjected, tenant: str) -> tuple[Key, ...]:
    """What authority looks up for every question."""
    keys = (STOPS_KEY, policies_key(tenant))
    return (*keys, kind_key(op.action.kind)) if _is_custom(op.action.kind) else keys


def standing_of(snapshot: Snapshot, op: Subjected, tenant: str) -> Standing | Need:
    """What authority has to say about a question of this tenant."""
    observed = _observed(op, snapshot.tenant(tenant))
    kind = op.action.kind
    stops: Stops | None = snapshot.records[STOPS_KEY]
    book: PolicyBook | None = snapshot.records[policies_key(tenant)]
    if book is None and (stops is None or not stops.stops) and not _is_custom(kind):
        return _unregulated(kind, observed)
    scopes = effective_lineage(op.subject, tenant)
    known: ActionKind | DeclaredKind | None = (
        snapshot.records[kind_key(kind)] if _is_custom(kind) else ACTION_KINDS.get(kind)
    )
    risk_class = risk_class_of(kind) if known is None else known.risk_class
    if stops is not None and (stop := stops.covering(scopes)) is not None:
        refusal = stopped(stop, scopes)
        return Standing(risk_class=risk_class, observed=observed, stop=stop, refusal=refusal)
    match = None if book is None else book.match(scopes, snapshot.now_ms)
    seen = Standing(risk_class=risk_class, observed=observed, match=match)
    if isinstance(op, Record):
        return seen
    if known is None and _is_custom(kind):
        return replace(seen, refusal=undeclared_kind(kind))
    if match is None:
        return seen
    return _under_policy(snapshot, op, seen, match, tenant=tenant, known=known)


def commit_rate(snapshot: Snapshot, reservation: Reservation) -> Considered | Need | None:
    """The limit of commits in a minute that a reservation is under, if there is one."""
    book: PolicyBook | None = snapshot.records[policies_key(reservation.tenant)]
    if book is None:
        return None
    scopes = effective_lineage(reservation.subject, reservation.tenant)
    match = book.match(scopes, snapshot.now_ms)
    limits = None if match is None else match.policy.rate_limits
    if match is None or limits is None or limits.max_commits_per_minute is None:
        return None
    key = _rate_key(snapshot, match, reservation.tenant, COMMITS)
    if missing := snapshot.missing((key,)):
        return Need(missing)
    return _considered(snapshot, match.policy, key, limits.max_commits_per_minute)


def _under_policy(
    snapshot: Snapshot,
    op: Reserve | Decide,
    seen: Standing,
    match: Match,
    *,
    tenant: str,
    known: ActionKind | DeclaredKind | None,
) -> Standing | Need:
    """The lists of the policy that decides, then its quotas, then its rate limit."""
    kind, policy = op.action.kind, match.policy
    limits = _limits(match, tenant, op.action, seen.risk_class, known)
    run_id = (op.subject.dimensions or {}).get(RUN_ID)
    if not run_id and [limit for limit in limits if not limit.letters]:
        return replace(seen, refusal=run_id_missing(policy, kind))
    if kind in policy.denied_action_kinds:
        return replace(seen, refusal=kind_denied(match, kind))
    if policy.allowed_action_kinds and kind not in policy.allowed_action_kinds:
        return replace(seen, refusal=kind_not_allowed(match, kind))
    per_minute = (policy.rate_limits or _NO_LIMITS).max_reservations_per_minute
    if not limits and per_minute is None:
        return seen
    minute, run = minute_of(snapshot.now_ms), run_id or ""
    keys = [(*each.place, minute[: each.letters] if each.letters else run) for each in limits]
    rate_key = None if per_minute is None else _rate_key(snapshot, match, tenant, RESERVATIONS)
    if missing := snapshot.missing((*keys, rate_key) if rate_key else tuple(keys)):
        return Need(missing)
    counted = [
        _considered(snapshot, policy, key, limit.quota.max_calls, limit.quota)
        for key, limit in zip(keys, limits, strict=True)
    ]
    rate = None
    if rate_key is not None and per_minute is not None:
        rate = _considered(snapshot, policy, rate_key, per_minute)
    refusal = None
    if used_up := [each for each in counted if each.headroom <= 0]:
        worst = min(used_up, key=lambda each: each.headroom)
        refusal = quota_used_up(worst, kind, snapshot.now_ms)
    elif rate is not None and rate.headroom <= 0:
        refusal = rate_limited(rate, snapshot.now_ms)
    return Standing(
        risk_class=seen.risk_class,
        observed=seen.observed,
        match=match,
        quotas=tuple(counted),
        rate=rate,
        refusal=refusal,
    )


def _limits(
    match: Match,
    tenant: str,
    action: Action,
    risk_class: RiskClass,
    known: ActionKind | DeclaredKind | None,
) -> tuple[Limit, ...]:
    """The quotas that count this action: those of its class, then those of its kind.

    Mostly they follow from the kind, and are kept with the match. Of quotas that share a counter
    only the tightest matters.
    """
    kept = match.limits.get((action.kind, risk_class))
    if kept is not None:
        return kept
    quotas = match.policy.quotas
    of_class = [quota for quota in quotas if quota.risk_class is risk_class]
    of_kind = [quota for quota in quotas if quota.action_kind == action.kind]
    is_selective = any(quota.is_selective for quota in of_kind)
    if is_selective:
        said = _policy_keys(action, known)
        of_kind = [quota for quota in of_kind if _lets_in(quota, said)]
    tightest: dict[Key, Limit] = {}
    for quota in of_class + of_kind:
        place, letters = _place(match, tenant, quota), letters_of(quota.window)
        limit = Limit(place=place, quota=quota, letters=letters)
        before = tightest.get(limit.place)
        if before is None or quota.max_calls < before.quota.max_calls:
            tightest[limit.place] = limit
    found = tuple(tightest.values())
    if not is_selective and len(match.limits) < MAX_KINDS_KEPT:
        match.limits[action.kind, risk_class] = found
    return found


def _place(match: Match, tenant: str, quota: Quota) -> Key:
    is_tenants = quota.window is QuotaWindow.PER_TENANT_PER_DAY
    scope = f"tenant:{tenant.lower()}" if is_tenants else match.scope
    return counter_key(tenant, scope, counted_as(quota), quota.window, "")[:-1]


def _policy_keys(action: Action, known: ActionKind | DeclaredKind | None) -> Mapping[str, str]:
    """What an action says about itself that its kind knows; anything else is not looked at."""
    spec = None if known is None else known.policy_key_spec
    if not spec or action.policy_keys is None:
        return {}
    said = {name: getattr(action.policy_keys, name) for name in _FILTERS if spec.get(name)}
    return {name: value.lower() for name, value in said.items() if value}


def _lets_in(quota: Quota, said: Mapping[str, str]) -> bool:
    """Whether every list that a quota has names what the action says; in any case of letters."""
    lists = {name: getattr(quota, f"{name}_allowlist") for name in _FILTERS}
    return all(
        said.get(name) in [each.lower() for each in listed]
        for name, listed in lists.items()
        if listed
    )


def _rate_key(snapshot: Snapshot, match: Match, tenant: str, counted: str) -> Key:
    bucket = bucket_of(_MINUTE, snapshot.now_ms)
    return counter_key(tenant, match.scope, counted, _MINUTE, bucket)


def _considered(
    snapshot: Snapshot, policy: Policy, key: Key, limit: int, quota: Quota | None = None
) -> Considered:
    counter = counter_at(snapshot, key)
    return Considered(
        policy=policy,
        quota=quota,
        key=key,
        limit=limit,
        used=0 if counter is None else counter.used,
        counter=counter,
    )


@lru_cache(maxsize=4_096)
def _unregulated(kind: str, observed: bool) -> Standing:
    """Where nobody has said anything; the same for every question about this kind."""
    return Standing(risk_class=risk_class_of(kind), observed=observed)


def _observed(op: Subjected, owner: Tenant | None) -> bool:
    """Whether a refusal is only told: the request says so, else the tenant's record."""
    if not isinstance(op, Reserve):
        return False
    if op.observe_mode is not None:
        return op.observe_mode is ObserveMode.OBSERVE
    return owner is not None and owner.observe_mode is ObserveMode.OBSERVE


def _is_custom(kind: str) -> bool:
    return kind.startswith(CUSTOM_PREFIX)
