"""Authority a second time, as plainly as it can be said, on top of the naive ledger.

Nothing is counted up here either: under each name stands the list of the reservations that were
counted, and giving back is to strike one out. Time is read off the calendar.
"""

from datetime import UTC, datetime
from typing import Any

from tests.core.ledger.naive_model import NaiveLedger
from tests.core.ledger.naive_words import DAY, Body, BudgetKey, Refusal, scopes_of

Name = tuple[str, str, str, str, str]  # whose, where, what, how long, and which of those

CLASSES = {
    "llm.completion": "side_effect",
    "db.query": "read_only",
    "message.email.send": "external_side_effect",
    "message.sms.send": "external_side_effect",
    "not.registered": "side_effect",
}
HOSTS_ARE_KNOWN_OF = ["message.email.send"]
SHAPES = {
    "per_minute_tumbling": "%Y-%m-%dT%H:%M",
    "per_hour_tumbling": "%Y-%m-%dT%H",
    "per_day_tumbling": "%Y-%m-%d",
    "per_tenant_per_day": "%Y-%m-%d",
}
KEPT = {
    "per_run": DAY,
    "per_minute_tumbling": 120_000,
    "per_hour_tumbling": 3_660_000,
    "per_day_tumbling": 90_000_000,
    "per_tenant_per_day": 90_000_000,
}


class NaiveAuthority(NaiveLedger):
    def __init__(self, now: int) -> None:
        super().__init__(now)
        self.policies: dict[tuple[str, str], Body] = {}  # by tenant and id
        self.stops: dict[str, str] = {}
        self.custom_kinds: dict[str, str] = {}
        self.lists: dict[Name, list[str]] = {}
        self.forgotten_at: dict[Name, int] = {}

    # --- what was counted ---

    def counted(self) -> dict[Name, int]:
        return {name: len(found) for name in self.lists if (found := self._listed(name))}

    def _listed(self, name: Name) -> list[str]:
        if self.now >= self.forgotten_at.get(name, 0):
            self.lists[name] = []
        return self.lists[name]

    def _count(self, limits: list[Body], who: str) -> None:
        for limit in limits:
            self._listed(limit["name"]).append(who)
            self.forgotten_at[limit["name"]] = self.now + limit["kept"]

    def _strike_out(self, hold_id: str) -> None:
        for name in self.lists:
            if name[3] == "per_run" and hold_id in self._listed(name):
                self.lists[name].remove(hold_id)

    # --- which policy decides ---

    def _policy(self, tenant: str, subject: Body) -> Body | None:
        """A copy of the policy with the scope `where` it matched."""
        scopes = scopes_of({"tenant": tenant} | subject)
        candidates = []
        for (owner, policy_id), policy in self.policies.items():
            fits = [(depth, _fit(policy["pattern"], scope)) for depth, scope in enumerate(scopes)]
            fits = [(depth, fit) for depth, fit in fits if fit is not None]
            if owner == tenant and policy["active"] and fits:
                depth, fit = max(fits)
                rank = (policy["priority"], depth, fit, -policy["since"])
                candidates.append((rank, policy_id, {**policy, "where": scopes[depth]}))
        best = max((rank for rank, *_ in candidates), default=None)
        ties = [(policy_id, found) for rank, policy_id, found in candidates if rank == best]
        return min(ties, key=lambda tie: tie[0])[1] if ties else None

    # --- what authority says ---

    def _authority_says(self, caller: str, ask: Body) -> Refusal | None:
        scopes = scopes_of({"tenant": caller} | ask["subject"])
        for target in self.stops.values():
            if target == "*" or target in scopes:
                where = scopes[0] if target == "*" else target
                return Refusal("BUDGET_FROZEN", "BUDGET_FROZEN", where)
        if "actual" in ask:
            return None
        kind = ask["action"]["kind"]
        if kind.startswith("custom.") and kind not in self.custom_kinds:
            return Refusal("INVALID_REQUEST")
        policy = self._policy(caller, ask["subject"])
        return None if policy is None else self._policy_says(caller, ask, policy)

    def _policy_says(self, caller: str, ask: Body, policy: Body) -> Refusal | None:
        kind = ask["action"]["kind"]
        limits = self._limits(caller, ask, policy)
        if any(limit["name"][3:] == ("per_run", "") for limit in limits):
            return Refusal("INVALID_REQUEST")
        where, by = policy["where"], policy["id"]
        if kind in policy["denied"]:
            return Refusal("ACTION_KIND_DENIED", "ACTION_KIND_DENIED", where, policy=by)
        if policy["allowed"] and kind not in policy["allowed"]:
            return Refusal("ACTION_KIND_NOT_ALLOWED", "ACTION_KIND_NOT_ALLOWED", where, policy=by)
        full = [limit for limit in limits if self._room(limit) <= 0]
        quotas = [limit for limit in full if "quota" in limit]
        if quotas:
            return self._used_up(min(quotas, key=self._room), kind, by)
        return self._too_often(full[0], by) if full else None

    def _room(self, limit: Body) -> int:
        most: int = limit["most"]
        return most - len(self._listed(limit["name"]))

    def _used_up(self, limit: Body, kind: str, by: str) -> Refusal:
        _, scope, _, window, bucket = limit["name"]
        quota = {"action_kind": kind, "window": window, "window_key": bucket, "scope": scope}
        quota |= {"used": len(self._listed(limit["name"])), "limit": limit["most"]}
        quota["policy_id"] = by
        if "risk_class" in limit["quota"]:
            quota["risk_class"] = limit["quota"]["risk_class"]
        code = "ACTION_QUOTA_EXCEEDED"
        return Refusal(code, code, scope, policy=by, quota=quota)

    def _too_often(self, limit: Body, by: str) -> Refusal:
        wait = 60_000 - self.now % 60_000
        code = "LIMIT_EXCEEDED"
        return Refusal(code, code, limit["name"][1], policy=by, retry=wait)

    def _rate_says(self, hold: Body) -> Refusal | None:
        policy = self._policy(hold["tenant"], hold["subject"])
        if policy is None or policy["commit_rate"] is None:
            return None
        limit = self._rate(hold["tenant"], policy, "commit_rate", "commits")
        return self._too_often(limit, policy["id"]) if self._room(limit) <= 0 else None

    # --- what a policy counts ---

    def _limits(self, tenant: str, ask: Body, policy: Body) -> list[Body]:
        """Every limit that applies, classes first; of those under one name the tightest."""
        kind = ask["action"]["kind"]
        risk = {**CLASSES, **self.custom_kinds}.get(kind, "side_effect")
        host = (ask["action"].get("policy_keys") or {}).get("host")
        limits: dict[Name, Body] = {}
        for of_class in (True, False):
            for quota in policy["quotas"]:
                applies = quota.get("risk_class") == risk if of_class else quota.get("kind") == kind
                listed = not quota["hosts"] or (
                    kind in HOSTS_ARE_KNOWN_OF and host is not None and host in quota["hosts"]
                )
                if applies and listed:
                    limit = self._quota(tenant, ask, policy, quota)
                    known = limits.get(limit["name"])
                    if known is None or limit["most"] < known["most"]:
                        limits[limit["name"]] = limit
        found = list(limits.values())
        if policy["rate"] is not None:
            found.append(self._rate(tenant, policy, "rate", "reservations"))
        return found

    def _quota(self, tenant: str, ask: Body, policy: Body, quota: Body) -> Body:
        window = quota["window"]
        what = quota.get("kind") or "__risk__:" + quota["risk_class"]
        where = "tenant:" + tenant if window == "per_tenant_per_day" else policy["where"]
        bucket = (ask["subject"].get("dimensions") or {}).get("run_id", "")
        if window != "per_run":
            bucket = self._date(window)
        kept = quota["ttl"] or KEPT[window]
        name = (tenant, where, what, window, bucket)
        return {"name": name, "most": quota["most"], "quota": quota, "kept": kept}

    def _rate(self, tenant: str, policy: Body, of: str, what: str) -> Body:
        window = "per_minute_tumbling"
        name = (tenant, policy["where"], "__rate__:" + what, window, self._date(window))
        return {"name": name, "most": policy[of], "kept": KEPT[window]}

    def _date(self, window: str) -> str:
        return datetime.fromtimestamp(self.now // 1000, UTC).strftime(SHAPES[window])

    # --- where authority has a say in what the ledger does ---

    def _only_asks(self, caller: str, ask: Body) -> bool:
        of_the_tenant = self.tenants.get(caller, {}).get("observe")
        mode = ask.get("observe_mode") or of_the_tenant
        return bool(ask.get("dry_run")) or mode == "OBSERVE"

    def _config(self, caller: str, ask: Body) -> Body:
        config = dict(super()._config(caller, ask))
        policy = self._policy(caller, ask["subject"]) or {}
        if policy.get("ttl") is not None:
            config["ttl"] = policy["ttl"]
        if policy.get("max_ttl") is not None:
            config["max_ttl"] = min(policy["max_ttl"], config.get("max_ttl", 3_600_000))
        if policy.get("extensions") is not None:
            config["extensions"] = policy["extensions"]
        return config

    def _overage(self, tenant: str, found: list[BudgetKey], ask: Body) -> str:
        policy = self._policy(tenant, ask["subject"])
        if ask.get("overage_policy") is None and policy is not None and policy["overage"]:
            return str(policy["overage"])
        return super()._overage(tenant, found, ask)

    def _keep(
        self, tenant: str, where: str, ask: Body, how_long: int, body: Body, **lease: Any
    ) -> Body:
        """Every fresh yes comes through here, so here it is counted or struck out."""
        verb, _, hold_id = where.partition(" ")
        if verb in ("reserve", "decide") and body["decision"] == "ALLOW":
            policy = self._policy(tenant, ask["subject"])
            if policy is not None and policy["max_tokens"] is not None:
                caps = {"max_tokens": policy["max_tokens"]}
                body |= {"decision": "ALLOW_WITH_CAPS", "caps": caps}
            if policy is not None and body.get("reservation_id"):
                self._count(self._limits(tenant, ask, policy), body["reservation_id"])
        if verb == "release":
            self._strike_out(hold_id)
        if verb == "commit":
            policy = self._policy(tenant, self.holds[hold_id]["subject"])
            if policy is not None and policy["commit_rate"] is not None:
                self._count([self._rate(tenant, policy, "commit_rate", "commits")], hold_id)
        return super()._keep(tenant, where, ask, how_long, body, **lease)

    def sweep(self) -> int:
        active = [hold_id for hold_id, hold in self.holds.items() if hold["status"] == "ACTIVE"]
        expired = super().sweep()
        for hold_id in active:
            if self.holds[hold_id]["status"] == "EXPIRED":
                self._strike_out(hold_id)
        return expired


def _fit(pattern: str, scope: str) -> tuple[int, int] | None:
    """How well a pattern fits a scope: exactly, by its level, or as something below; or not."""
    above, _, last = scope.rpartition("/")
    level = last.split(":")[0]
    if pattern == scope:
        return (3, 0)
    if pattern == (above + "/" if above else "") + level + ":*":
        return (2, 0)
    if pattern.endswith("/*") and scope.startswith(pattern[:-1]):
        return (1, len(pattern))
    return None
