"""Where a check stands: its own tenant on the server, and the questions it can ask."""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from runcycles_server.conformance.client import Answer, Caller
from runcycles_server.conformance.expecting import done, expect, same

ABSENT: Final = object()
"""The value of a member that is to be left out of a body."""

Json = dict[str, Any]


def tokens(amount: Any, unit: str = "TOKENS") -> Json:
    """An amount on the wire."""
    return {"unit": unit, "amount": amount}


class Stand:
    """One tenant, and everything that can be asked with its key."""

    def __init__(
        self,
        caller: Caller,
        tenant: str,
        keys: Mapping[str, str],
        *,
        stranger: "Stand | None" = None,
        operator: Caller | None = None,
    ) -> None:
        self.caller = caller
        self.tenant = tenant
        self.keys = keys
        self._stranger = stranger
        self._operator = operator

    @property
    def stranger(self) -> "Stand":
        """The second tenant, of a setup that has one."""
        assert self._stranger is not None
        return self._stranger

    @property
    def operator(self) -> Caller:
        """The operator's caller, for checks of the governance plane."""
        assert self._operator is not None
        return self._operator

    def keyed(self, name: str) -> "Stand":
        """The same stand with another of its keys."""
        caller = self.caller.keyed(self.keys[name])
        return Stand(caller, self.tenant, self.keys, operator=self._operator)

    # ── bodies ───────────────────────────────────────────────────────────────────────────────

    def subject(self, **levels: Any) -> Json:
        """A subject of this tenant."""
        return {"tenant": self.tenant, **levels}

    def scope(self, below: str = "") -> str:
        """The scope path of this tenant, or of something below it."""
        return f"tenant:{self.tenant}/{below}" if below else f"tenant:{self.tenant}"

    def question(self, amount: Any = 100, **changes: Any) -> Json:
        """The body of a reserve; a key that nobody used, unless one is given."""
        body = {
            "idempotency_key": fresh(),
            "subject": self.subject(),
            "action": {"kind": "llm.completion", "name": "conformance"},
            "estimate": tokens(amount),
            **changes,
        }
        return {name: value for name, value in body.items() if value is not ABSENT}

    def spending(self, amount: Any = 100, **changes: Any) -> Json:
        """The body of an event."""
        return self.question(**{"estimate": ABSENT, "actual": tokens(amount), **changes})

    # ── questions ────────────────────────────────────────────────────────────────────────────

    async def reserve(self, amount: Any = 100, **changes: Any) -> Answer:
        """Ask for a reservation."""
        return await self.post("/v1/reservations", self.question(amount, **changes))

    async def held(self, amount: Any = 100, **changes: Any) -> str:
        """The id of a new reservation, which must be granted."""
        return str(done(await self.reserve(amount, **changes))["reservation_id"])

    async def decide(self, amount: Any = 100, **changes: Any) -> Answer:
        """Ask whether it would be allowed."""
        return await self.post("/v1/decide", self.question(amount, **changes))

    async def record(self, amount: Any = 100, **changes: Any) -> Answer:
        """Book spend that had no reservation."""
        return await self.post("/v1/events", self.spending(amount, **changes))

    async def commit(self, reservation: str, amount: Any, **changes: Any) -> Answer:
        """Settle with what was used."""
        return await self._settle(reservation, "commit", {"actual": tokens(amount), **changes})

    async def release(self, reservation: str, **changes: Any) -> Answer:
        """Give the whole estimate back."""
        return await self._settle(reservation, "release", changes)

    async def extend(self, reservation: str, by_ms: Any = 1_000, **changes: Any) -> Answer:
        """Keep a reservation alive."""
        return await self._settle(reservation, "extend", {"extend_by_ms": by_ms, **changes})

    async def row(self, reservation: str) -> Answer:
        """One reservation by its id."""
        return await self.get(f"/v1/reservations/{reservation}")

    async def listed(self, **query: Any) -> Answer:
        """A page of reservations; a `_` at the end of a name is not part of it."""
        given = {name.rstrip("_"): str(value) for name, value in query.items()}
        return await self.get("/v1/reservations", **given)

    async def ids(self, **query: Any) -> list[str]:
        """The ids on a page of reservations, in its order."""
        rows = done(await self.listed(**query))["reservations"]
        return [str(row["reservation_id"]) for row in rows]

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        """Post a body; `_` in the name of a header stands for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.caller.ask("POST", path, body, headers=given)

    async def get(self, path: str, **query: str) -> Answer:
        """Get something."""
        return await self.caller.ask("GET", path, query=query or None)

    async def _settle(self, reservation: str, step: str, changes: Json) -> Answer:
        body = {"idempotency_key": fresh(), **changes}
        given = {name: value for name, value in body.items() if value is not ABSENT}
        return await self.post(f"/v1/reservations/{reservation}/{step}", given)

    async def govern(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask as the operator."""
        return await self.operator.ask(method, path, body, query=query)

    async def govern_budget(
        self, method: str, step: str, body: Any = None, below: str = "", **query: str
    ) -> Answer:
        """Ask as the operator about one budget of this tenant, in TOKENS."""
        at = {"scope": self.scope(below), "unit": "TOKENS", **query}
        return await self.govern(method, f"/v1/admin/budgets{step}", body, at)

    # ── the ledger, as the tenant sees it ────────────────────────────────────────────────────

    async def balance(self, below: str = "", unit: str = "TOKENS") -> Json:
        """The balance of one scope."""
        answer = done(await self.get("/v1/balances", tenant=self.tenant, limit="200"))
        for row in answer["balances"]:
            if row["scope_path"] == self.scope(below) and row["remaining"]["unit"] == unit:
                return dict(row)
        expect(False, f"there is no balance of {self.scope(below)} in {unit}")
        return {}

    async def shows(self, below: str = "", *, unit: str = "TOKENS", **wanted: int) -> None:
        """The ledger must show these amounts: `remaining` always, others where it shows them."""
        row = await self.balance(below, unit)
        for name, amount in wanted.items():
            if name == "remaining" or name in row:
                same(row[name]["amount"], amount, f"{name} of {self.scope(below)}")
            elif name == "debt":
                same(0, amount, f"debt of {self.scope(below)}, which the balance leaves out")

    async def is_over_limit(self, below: str = "") -> bool:
        """Whether a scope is marked as over its limit."""
        return bool((await self.balance(below)).get("is_over_limit", False))

    async def ledger(self) -> Any:
        """Everything that the tenant sees of its ledger, to be compared."""
        balances = done(await self.get("/v1/balances", tenant=self.tenant, limit="200"))
        return sorted(balances["balances"], key=lambda row: str(row["scope_path"]))


def fresh() -> str:
    """An idempotency key that nobody used."""
    return f"cf-{secrets.token_hex(8)}"
