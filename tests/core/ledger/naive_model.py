"""The ledger a second time, as plainly as it can be said, to audit the real one.

It shares no code with what it audits. Nothing is counted up: a budget is what the operator gave,
and what is held, spent or owed is summed over the list of everything that ever happened. Answers
are the protocol's JSON bodies as dicts, or a `Refusal`.
"""

from typing import Any

from tests.core.ledger.naive_words import (
    DAY,
    LARGEST,
    UNITS,
    Body,
    BudgetKey,
    Refusal,
    Reply,
    deny,
    plain,
    scopes_of,
)


class NaiveLedger:
    def __init__(self, now: int) -> None:
        self.now = now
        self.tenants: dict[str, dict[str, Any]] = {}
        self.budgets: dict[BudgetKey, dict[str, Any]] = {}
        self.happened: list[tuple[BudgetKey, str, int]] = []  # "spent" or "debt" grew by so much
        self.holds: dict[str, dict[str, Any]] = {}
        self.memory: dict[tuple[str, str, str], dict[str, Any]] = {}

    # --- what can be seen ---

    def total(self, key: BudgetKey, what: str) -> int:
        return sum(n for budget, kind, n in self.happened if (budget, kind) == (key, what))

    def active(self) -> list[Body]:
        return [hold for hold in self.holds.values() if hold["status"] == "ACTIVE"]

    def reserved(self, key: BudgetKey) -> int:
        return sum(hold["amount"] for hold in self.active() if key in hold["budgets"])

    def remaining(self, key: BudgetKey) -> int:
        given: int = self.budgets[key]["allocated"]
        return given - self.total(key, "spent") - self.reserved(key) - self.total(key, "debt")

    def over_limit(self, key: BudgetKey) -> bool:
        budget = self.budgets[key]
        return bool(budget["flag"] or 0 < budget["limit"] < self.total(key, "debt"))

    def balances(self, keys: list[BudgetKey]) -> list[Body]:
        return [self.balance(key) for key in keys if key in self.budgets]

    def balance(self, key: BudgetKey) -> Body:
        _, scope, unit = key

        def money(amount: int) -> Body:
            return {"unit": unit, "amount": amount}

        body: Body = {
            "scope": scope.split("/")[-1],
            "scope_path": scope,
            "remaining": money(self.remaining(key)),
            "reserved": money(self.reserved(key)),
            "spent": money(self.total(key, "spent")),
            "allocated": money(self.budgets[key]["allocated"]),
        }
        if self.total(key, "debt") > 0:
            body["debt"] = money(self.total(key, "debt"))
        if self.budgets[key]["limit"] > 0:
            body["overdraft_limit"] = money(self.budgets[key]["limit"])
        if self.over_limit(key):
            body["is_over_limit"] = True
        return body

    def numbers(self, key: BudgetKey) -> Body:
        given = {name: value for name, value in self.budgets[key].items() if name != "policy"}
        totals = {"spent": self.total(key, "spent"), "debt": self.total(key, "debt")}
        return {**given, **totals, "reserved": self.reserved(key)}

    # --- what operators do ---

    def open(self, key: BudgetKey, allocated: int, limit: int, policy: str | None) -> None:
        self.budgets[key] = {"allocated": allocated, "limit": limit, "policy": policy}
        self.budgets[key] |= {"flag": False, "status": "ACTIVE"}

    def delete(self, key: BudgetKey) -> None:
        del self.budgets[key]
        self.happened = [entry for entry in self.happened if entry[0] != key]

    def fund(self, key: BudgetKey, amount: int) -> Refusal | None:
        budget = self.budgets[key]
        if budget["status"] != "ACTIVE":
            return Refusal("BUDGET_" + budget["status"], None, key[1])
        if budget["allocated"] + amount > LARGEST:
            return Refusal("INVALID_REQUEST")
        budget["allocated"] += amount
        budget["flag"] = self.total(key, "debt") > budget["limit"]
        return None

    def sweep(self) -> int:
        overdue = [h for h in self.active() if self.now > h["expires"] + h["grace"]]
        for hold in overdue:
            hold["status"] = "EXPIRED"
        return len(overdue)

    # --- questions about something new; `new_id` names the record if one is made ---

    def reserve(self, caller: str, ask: Body, new_id: str) -> Reply:
        again = self._again(caller, "reserve", ask, ask["subject"].get("tenant", caller))
        if again is not None:
            return again
        found, scopes = self._may(caller, ask), scopes_of(ask["subject"])
        if isinstance(found, Refusal):
            if not self._only_asks(caller, ask) or found.reason is None:
                return found
            denial = deny(found, scopes) | {"scope_path": scopes[-1]}
            return self._keep(caller, "reserve", ask, DAY, denial)
        body: Body = {"decision": "ALLOW", "affected_scopes": scopes, "scope_path": scopes[-1]}
        body["reserved"] = ask["estimate"]
        if self._only_asks(caller, ask):
            body["balances"] = self.balances(found)
            return self._keep(caller, "reserve", ask, DAY, body)
        config = self._config(caller, ask)
        ttl = min(ask.get("ttl_ms") or config.get("ttl", 60_000), config.get("max_ttl", 3_600_000))
        self.holds[new_id] = {
            "status": "ACTIVE",
            "tenant": caller,
            "subject": ask["subject"],
            "scope": scopes[-1],
            "budgets": found,
            "unit": ask["estimate"]["unit"],
            "amount": ask["estimate"]["amount"],
            "policy": self._overage(caller, found, ask),
            "expires": self.now + ttl,
            "grace": ask.get("grace_period_ms", 5000),
            "extensions_left": config.get("extensions", 10),
        }
        body["reservation_id"] = new_id
        body["expires_at_ms"] = self.now + ttl
        body["remaining_ttl_ms"] = ttl
        body["balances"] = self.balances(found)
        return self._keep(caller, "reserve", ask, 30 * DAY, body, lease=(new_id, self.now + ttl))

    def decide(self, caller: str, ask: Body) -> Reply:
        again = self._again(caller, "decide", ask, ask["subject"].get("tenant", caller))
        if again is not None:
            return again
        found, scopes = self._may(caller, ask), scopes_of(ask["subject"])
        if not isinstance(found, Refusal):
            body: Body = {"decision": "ALLOW", "affected_scopes": scopes}
        elif found.reason is not None:
            body = deny(found, scopes)
        else:
            return found
        return self._keep(caller, "decide", ask, DAY, body)

    def event(self, caller: str, ask: Body, new_id: str) -> Reply:
        again = self._again(caller, "event", ask, ask["subject"].get("tenant", caller))
        if again is not None:
            return again
        refusal = self._tenant_says(caller) or self._authority_says(caller, ask)
        if refusal is not None:
            return refusal
        found = self._budgets(caller, ask["subject"], ask["actual"]["unit"])
        if isinstance(found, Refusal):
            return found
        amount, policy = ask["actual"]["amount"], self._overage(caller, found, ask)
        fits = ["BUDGET_EXCEEDED"] if policy == "REJECT" else []
        refusal = self._obstacle(found, amount, ["BUDGET_FROZEN", "BUDGET_CLOSED", *fits])
        if refusal is not None:
            return refusal
        charged = self._charge(found, amount, policy)
        if isinstance(charged, Refusal):
            return charged
        body: Body = {"status": "APPLIED", "event_id": new_id, "balances": self.balances(found)}
        if charged < amount:
            body["charged"] = {"unit": ask["actual"]["unit"], "amount": charged}
        return self._keep(caller, "event", ask, 7 * DAY, body)

    # --- questions about a reservation ---

    def commit(self, caller: str, hold_id: str, ask: Body) -> Reply:
        again = self._again_held(caller, "commit", hold_id, ask)
        if again is not None:
            return again
        hold, actual = self.holds[hold_id], ask["actual"]
        if hold["status"] == "ACTIVE" and actual["unit"] != hold["unit"]:
            return Refusal("UNIT_MISMATCH")
        if (refusal := self._too_late(hold, hold["grace"])) is not None:
            return refusal
        if (refusal := self._rate_says(hold)) is not None:
            return refusal
        extra = actual["amount"] - hold["amount"]
        if extra > 0 and hold["policy"] == "REJECT":
            return Refusal("BUDGET_EXCEEDED", None, hold["scope"])
        alive = [key for key in hold["budgets"] if key in self.budgets]
        if extra > 0:
            more = self._charge(alive, extra, hold["policy"])
            if isinstance(more, Refusal):
                return more
            self._write(alive, "spent", hold["amount"])
            charged = hold["amount"] + more
        else:
            self._write(alive, "spent", actual["amount"])
            charged = actual["amount"]
        hold["status"] = "COMMITTED"
        body: Body = {"status": "COMMITTED", "charged": {"unit": hold["unit"], "amount": charged}}
        if charged < hold["amount"]:
            body["released"] = {"unit": hold["unit"], "amount": hold["amount"] - charged}
        body["balances"] = self.balances(alive)
        return self._keep(hold["tenant"], "commit " + hold_id, ask, 30 * DAY, body)

    def release(self, caller: str, hold_id: str, ask: Body) -> Reply:
        again = self._again_held(caller, "release", hold_id, ask)
        if again is not None:
            return again
        hold = self.holds[hold_id]
        if (refusal := self._too_late(hold, hold["grace"])) is not None:
            return refusal
        hold["status"] = "RELEASED"
        body: Body = {"status": "RELEASED", "balances": self.balances(hold["budgets"])}
        body["released"] = {"unit": hold["unit"], "amount": hold["amount"]}
        return self._keep(hold["tenant"], "release " + hold_id, ask, 30 * DAY, body)

    def extend(self, caller: str, hold_id: str, ask: Body) -> Reply:
        again = self._again_held(caller, "extend", hold_id, ask)
        if again is not None:
            return again
        hold = self.holds[hold_id]
        if (refusal := self._too_late(hold, 0)) is not None:
            return refusal
        if hold["extensions_left"] == 0:
            return Refusal("MAX_EXTENSIONS_EXCEEDED")
        hold["extensions_left"] -= 1
        hold["expires"] += ask["extend_by_ms"]
        left = hold["expires"] - self.now
        body: Body = {
            "status": "ACTIVE",
            "expires_at_ms": hold["expires"],
            "remaining_ttl_ms": left,
            "balances": self.balances(hold["budgets"]),
        }
        lease = (hold_id, hold["expires"])
        return self._keep(hold["tenant"], "extend " + hold_id, ask, left, body, lease=lease)

    def _too_late(self, hold: Body, grace: int) -> Refusal | None:
        if hold["status"] in ("COMMITTED", "RELEASED"):
            return Refusal("RESERVATION_FINALIZED")
        if hold["status"] == "EXPIRED" or self.now > hold["expires"] + grace:
            return Refusal("RESERVATION_EXPIRED")
        return None

    # --- what authority has a say in; see `naive_actions` ---

    def _authority_says(self, caller: str, ask: Body) -> Refusal | None:
        return None

    def _rate_says(self, hold: Body) -> Refusal | None:
        return None

    def _only_asks(self, caller: str, ask: Body) -> bool:
        return bool(ask.get("dry_run"))

    def _config(self, caller: str, ask: Body) -> Body:
        return self.tenants.get(caller, {})

    # --- the rules that several questions share ---

    def _tenant_says(self, tenant: str, *, starts: bool = False) -> Refusal | None:
        status = self.tenants.get(tenant, {}).get("status", "ACTIVE")
        if status == "CLOSED":
            return Refusal("TENANT_CLOSED", "TENANT_CLOSED", "tenant:" + tenant)
        if status not in ("ACTIVE", "SUSPENDED"):
            return Refusal("INTERNAL_ERROR")
        if status == "SUSPENDED" and starts:
            return Refusal("FORBIDDEN", "TENANT_SUSPENDED", "tenant:" + tenant)
        return None

    def _budgets(self, tenant: str, subject: Body, unit: str) -> list[BudgetKey] | Refusal:
        scopes = scopes_of(subject)
        found = [(tenant, scope, unit) for scope in scopes if (tenant, scope, unit) in self.budgets]
        if found:
            return found
        for scope in scopes:
            if any((tenant, scope, other) in self.budgets for other in UNITS):
                return Refusal("UNIT_MISMATCH", None, scope)
        return Refusal("NOT_FOUND", "BUDGET_NOT_FOUND", scopes[-1])

    def _may(self, caller: str, ask: Body) -> list[BudgetKey] | Refusal:
        """The budgets that a question has to pass, all of them passed, or why not."""
        refusal = self._tenant_says(caller, starts=True) or self._authority_says(caller, ask)
        if refusal is not None:
            return refusal
        found = self._budgets(caller, ask["subject"], ask["estimate"]["unit"])
        if isinstance(found, Refusal):
            return found
        amount = ask["estimate"]["amount"]
        obstacles = ["BUDGET_FROZEN", "BUDGET_CLOSED"]
        obstacles += ["OVERDRAFT_LIMIT_EXCEEDED", "DEBT_OUTSTANDING", "BUDGET_EXCEEDED"]
        return self._obstacle(found, amount, obstacles) or found

    def _obstacle(self, keys: list[BudgetKey], amount: int, codes: list[str]) -> Refusal | None:
        """The first of these that holds anywhere, root first."""
        for code in codes:
            for key in keys:
                budget = self.budgets[key]
                holds = {
                    "BUDGET_FROZEN": budget["status"] == "FROZEN",
                    "BUDGET_CLOSED": budget["status"] == "CLOSED",
                    "OVERDRAFT_LIMIT_EXCEEDED": self.over_limit(key),
                    "DEBT_OUTSTANDING": budget["limit"] == 0 and self.total(key, "debt") > 0,
                    "BUDGET_EXCEEDED": self.remaining(key) < amount,
                }
                if holds[code]:
                    return Refusal(code, code, key[1], self.remaining(key))
        return None

    def _overage(self, tenant: str, found: list[BudgetKey], ask: Body) -> str:
        """The request decides, else the deepest budget with an opinion, else the tenant."""
        of_the_budgets = [self.budgets[key]["policy"] for key in reversed(found)]
        of_the_tenant = self.tenants.get(tenant, {}).get("policy")
        opinions = [ask.get("overage_policy"), *of_the_budgets, of_the_tenant]
        return next((str(each) for each in opinions if each is not None), "ALLOW_IF_AVAILABLE")

    def _charge(self, keys: list[BudgetKey], wanted: int, policy: str) -> int | Refusal:
        """Take an amount out of what remains of every budget alike; how much could be taken."""
        can = {key: max(self.remaining(key), 0) for key in keys}
        lacking = [key for key in keys if self.remaining(key) < wanted]
        overdraws = policy == "ALLOW_WITH_OVERDRAFT"
        stops = [k for k in lacking if not overdraws or self.budgets[k]["limit"] == 0]
        taken = min([wanted, *(can[key] for key in stops)])
        for key in keys:
            gap = taken - can[key]
            owed = self.total(key, "debt") + gap
            if gap > 0 and owed > self.budgets[key]["limit"]:
                return Refusal("OVERDRAFT_LIMIT_EXCEEDED", None, key[1])
        for key in keys:
            self._write([key], "spent", min(taken, can[key]))
            self._write([key], "debt", taken - min(taken, can[key]))
            if taken < wanted and key in stops:
                self.budgets[key]["flag"] = True
        return taken

    def _write(self, keys: list[BudgetKey], what: str, amount: int) -> None:
        self.happened += [(key, what, amount) for key in keys]

    # --- the same question again ---

    def _again_held(self, caller: str, verb: str, hold_id: str, ask: Body) -> Reply | None:
        hold = self.holds.get(hold_id)
        if hold is None:
            return Refusal("NOT_FOUND")
        again = self._again(caller, f"{verb} {hold_id}", ask, hold["tenant"])
        return self._tenant_says(caller) if again is None else again

    def _again(self, caller: str, where: str, ask: Body, owner: str) -> Reply | None:
        if caller != owner:
            return Refusal("FORBIDDEN")
        old = self.memory.get((caller, where, ask["idempotency_key"]))
        if old is None or self.now >= old["until"]:
            return None
        if old["asked"] != plain(ask):
            return Refusal("IDEMPOTENCY_MISMATCH")
        body = dict(old["body"])
        if old["lease"] is not None:
            hold_id, end = old["lease"]
            still_held = self.holds[hold_id]["status"] == "ACTIVE"
            body["remaining_ttl_ms"] = max(end - self.now, 0) if still_held else 0
        return body

    def _keep(
        self,
        tenant: str,
        where: str,
        ask: Body,
        how_long: int,
        body: Body,
        *,
        lease: tuple[str, int] | None = None,
    ) -> Body:
        kept = {"body": body, "asked": plain(ask), "until": self.now + how_long, "lease": lease}
        self.memory[(tenant, where, ask["idempotency_key"])] = kept
        return body
