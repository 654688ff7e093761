"""The naive models as the oracle of a long run: their sums are kept instead of summed again.

It shares no code with what it judges. What it adds is what no single answer shows: that nothing is
charged twice under one key, and that time does not go back.
"""

from collections import defaultdict
from typing import Any

from tests.core.ledger.naive_actions import NaiveAuthority, Name
from tests.core.ledger.naive_words import Body, BudgetKey, Refusal

Intention = tuple[str, str]  # whose, and under which key


class _Holds(dict[str, Body]):
    """Every hold by its id; the ones that were active when last looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[Body] = []

    def __setitem__(self, hold_id: str, hold: Body) -> None:
        super().__setitem__(hold_id, hold)
        self.open.append(hold)


class Oracle(NaiveAuthority):
    def __init__(self, now: int) -> None:
        super().__init__(now)
        self.holds: _Holds = _Holds()
        self.sums: dict[tuple[BudgetKey, str], int] = defaultdict(int)
        self.charges: dict[Intention, list[Body]] = defaultdict(list)
        self.events: set[str] = set()
        self.funded: set[Intention] = set()
        self.kept_at = now

    # --- the same sums, kept ---

    def total(self, key: BudgetKey, what: str) -> int:
        return self.sums[key, what]

    def _write(self, keys: list[BudgetKey], what: str, amount: int) -> None:
        for key in keys:
            self.sums[key, what] += amount

    def active(self) -> list[Body]:
        self.holds.open = [hold for hold in self.holds.open if hold["status"] == "ACTIVE"]
        return self.holds.open

    def _listed(self, name: Name) -> list[str]:
        """Looking at a list does not end it: time may be earlier again after a crash."""
        return [] if self.now >= self.forgotten_at.get(name, 0) else self.lists[name]

    def _count(self, limits: list[Body], who: str) -> None:
        for limit in limits:
            self.lists[limit["name"]] = [*self._listed(limit["name"]), who]
            self.forgotten_at[limit["name"]] = self.now + limit["kept"]

    # --- what must never happen ---

    def at(self, now: int) -> None:
        assert now >= self.now, f"time went back by {self.now - now} ms"
        self.now = now

    def restarted(self) -> None:
        """Of the time that a dead server has seen, only that of what it kept is remembered."""
        self.now = self.kept_at

    def _keep(
        self, tenant: str, where: str, ask: Body, how_long: int, body: Body, **lease: Any
    ) -> Body:
        """Every fresh yes comes through here: a charge is the first one under its key."""
        if "actual" in ask:
            charges = self.charges[tenant, ask["idempotency_key"]]
            assert not charges, f"{where}: charged again under {ask['idempotency_key']}"
            charges.append({"where": where, "asked": ask["actual"]["amount"], "body": body})
            self.events.add(body.get("event_id", ""))
        return super()._keep(tenant, where, ask, how_long, body, **lease)

    def check(self, key: BudgetKey) -> None:
        """No budget is oversold: what is held and spent was given, what is owed was allowed."""
        found = self.numbers(key)
        assert found["spent"] + found["reserved"] <= found["allocated"], f"{key} is oversold"
        assert found["debt"] <= found["limit"], f"{key} owes too much"
        assert min(found["spent"], found["reserved"], found["debt"]) >= 0, f"{key} fell below 0"

    def used(self, name: Name) -> int:
        return len(self._listed(name))

    def overdue(self) -> list[str]:
        """The holds that nobody can settle any more."""
        return [
            hold_id
            for hold_id, hold in self.holds.items()
            if hold["status"] == "ACTIVE" and self.now > hold["expires"] + hold["grace"]
        ]

    # --- what happens besides questions ---

    def expire(self, hold_id: str) -> None:
        hold = self.holds[hold_id]
        assert hold["status"] == "ACTIVE", f"{hold_id} expired as {hold['status']}"
        assert self.now > hold["expires"] + hold["grace"], f"{hold_id} expired too early"
        hold["status"] = "EXPIRED"
        self._strike_out(hold_id)

    def repay(self, key: BudgetKey, amount: int) -> Refusal | None:
        """Of what is paid, the rest is given on top."""
        repaid = min(self.total(key, "debt"), amount)
        refusal = self.fund(key, amount - repaid)
        if refusal is None:
            self._write([key], "debt", -repaid)
            self.budgets[key]["flag"] = self.total(key, "debt") > self.budgets[key]["limit"]
        return refusal
