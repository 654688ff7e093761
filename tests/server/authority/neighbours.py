"""Two tenants on one server, who know all of each other's names and try everything with them.

A machine for Hypothesis. Their requests arrive together and are decided in one batch. Whatever
they ask, the answer to one holds nothing of the other, and nothing of the other has changed.
"""

import asyncio
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from runcycles.ledger.state import Account, Key, Record, Reservation
from runcycles.testing import FakeClock
from runcycles_server.stores import open_store
from runcycles_server.sweeper import Sweeper
from tests.server.authority.watched import WatchedStore
from tests.server.authority.world import OPERATOR, Names, World, blueprint

NUMBER: Final = re.compile(r"(?<![\w.-])\d{6,12}(?![\w-])")
"""An amount in a text; a moment has more digits, and an id has letters next to them."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One tenant tries something with what is its own, or with what is the other's."""

    what: str
    by: int
    about: int
    times: int
    key: str
    which: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it goes out."""

    method: str
    path: str
    json: Any = None
    params: Any = None


def _reserve(own: Names, about: Names, attempt: Attempt, _held: str) -> Sent:
    body = {**about.question(attempt.key), "estimate": own.tokens(attempt.times)}
    return Sent("POST", "/v1/reservations", {**body, "dry_run": attempt.which % 4 == 0})


def _nameless(own: Names, _about: Names, attempt: Attempt, _held: str) -> Sent:
    body = {**own.question(attempt.key, attempt.times), "subject": {"agent": "writer"}}
    return Sent("POST", "/v1/decide", body)


def _decide(own: Names, about: Names, attempt: Attempt, _held: str) -> Sent:
    body = {**about.question(attempt.key), "estimate": own.tokens(attempt.times)}
    return Sent("POST", "/v1/decide", body)


def _event(own: Names, about: Names, attempt: Attempt, _held: str) -> Sent:
    body = about.question(attempt.key)
    del body["estimate"]
    return Sent("POST", "/v1/events", {**body, "actual": own.tokens(attempt.times)})


def _commit(own: Names, _about: Names, attempt: Attempt, held: str) -> Sent:
    body = {"idempotency_key": attempt.key, "actual": own.tokens(attempt.times)}
    return Sent("POST", f"/v1/reservations/{held}/commit", body)


def _release(_own: Names, _about: Names, attempt: Attempt, held: str) -> Sent:
    return Sent("POST", f"/v1/reservations/{held}/release", {"idempotency_key": attempt.key})


def _extend(_own: Names, _about: Names, attempt: Attempt, held: str) -> Sent:
    body = {"idempotency_key": attempt.key, "extend_by_ms": 1_000}
    return Sent("POST", f"/v1/reservations/{held}/extend", body)


def _get(_own: Names, _about: Names, _attempt: Attempt, held: str) -> Sent:
    return Sent("GET", f"/v1/reservations/{held}")


def _list(_own: Names, about: Names, attempt: Attempt, _held: str) -> Sent:
    whose = {"tenant": about.tenant} if attempt.which % 2 else {}
    return Sent("GET", "/v1/reservations", params={**whose, "limit": "3"})


def _balances(_own: Names, about: Names, _attempt: Attempt, _held: str) -> Sent:
    return Sent("GET", "/v1/balances", params={"tenant": about.tenant})


def _agents(_own: Names, _about: Names, _attempt: Attempt, _held: str) -> Sent:
    return Sent("GET", "/v1/balances", params={"agent": "writer"})


def _all_balances(_own: Names, about: Names, _attempt: Attempt, _held: str) -> Sent:
    return Sent("GET", "/v1/balances", params={"tenant_id": about.tenant})


def _budgets(_own: Names, about: Names, _attempt: Attempt, _held: str) -> Sent:
    return Sent("GET", "/v1/admin/budgets", params={"tenant_id": about.tenant})


def _policies(_own: Names, about: Names, _attempt: Attempt, _held: str) -> Sent:
    return Sent("GET", "/v1/admin/policies", params={"tenant_id": about.tenant})


def _counters(_own: Names, about: Names, _attempt: Attempt, _held: str) -> Sent:
    params = {"tenant_id": about.tenant, "scope": about.root}
    return Sent("GET", "/v1/admin/action-quota-counters", params=params)


def _lookup(_own: Names, about: Names, _attempt: Attempt, _held: str) -> Sent:
    params = {"scope": about.writer, "unit": "TOKENS"}
    return Sent("GET", "/v1/admin/budgets/lookup", params=params)


def _fund(own: Names, about: Names, attempt: Attempt, _held: str) -> Sent:
    params = {"scope": about.writer, "unit": "TOKENS", "tenant_id": about.tenant}
    body = {
        "operation": ("CREDIT", "DEBIT", "RESET", "RESET_SPENT")[attempt.which % 4],
        "amount": own.tokens(attempt.times),
        "idempotency_key": attempt.key,
    }
    return Sent("POST", "/v1/admin/budgets/fund", body, params)


def _budget(own: Names, about: Names, attempt: Attempt, _held: str) -> Sent:
    scope = f"{about.root}/agent:new-{attempt.which}"
    body = {"scope": scope, "unit": "TOKENS", "allocated": own.tokens(attempt.times)}
    return Sent("POST", "/v1/admin/budgets", body)


def _policy(_own: Names, about: Names, attempt: Attempt, _held: str) -> Sent:
    body = {"name": f"of {about.tenant} {attempt.which}", "scope_pattern": about.writer}
    return Sent("POST", "/v1/admin/policies", body)


def _change(_own: Names, about: Names, attempt: Attempt, _held: str) -> Sent:
    body = {"description": f"changed {attempt.times} times"}
    return Sent("PATCH", f"/v1/admin/policies/{about.policy_id}", body)


def _explain(_own: Names, about: Names, attempt: Attempt, held: str) -> Sent:
    wanted = (held, attempt.key, about.reservation_id)[attempt.which % 3]
    return Sent("GET", "/v1/x-runcycles/explain", params={"id": wanted})


def _introspect(_own: Names, _about: Names, _attempt: Attempt, _held: str) -> Sent:
    return Sent("GET", "/v1/auth/introspect")


TRIED: Final[dict[str, Callable[[Names, Names, Attempt, str], Sent]]] = {
    made.__name__: made
    for made in (
        *(_reserve, _nameless, _decide, _event, _commit, _release, _extend, _get, _list),
        *(_balances, _agents, _budgets, _policies, _lookup, _fund, _budget, _policy, _change),
        *(_explain, _introspect, _counters, _all_balances),
    )
}
ATTEMPTS: Final = st.builds(
    Attempt,
    what=st.sampled_from(sorted(TRIED)),
    by=st.integers(0, 1),
    about=st.integers(0, 1),
    times=st.integers(0, 40),
    key=st.sampled_from(["k1", "k2", "k3"]),
    which=st.integers(0, 11),
)


STATES: Final = ("SUSPENDED", "CLOSED", *["ACTIVE"] * 8)
"""What an operator makes of a tenant; mostly one that goes on, or little would happen."""


class Neighbours(RuleBasedStateMachine):
    """Both tenants, the operator and time, on a server of this process over SQLite."""

    def __init__(self) -> None:
        super().__init__()
        plan = blueprint()
        self.names = (plan.acme, plan.rival)
        self.clock = FakeClock()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "neighbours.db"
        self.store = WatchedStore(open_store(f"sqlite:///{path}", clock_ms=self.clock.now_ms))
        self.loop = asyncio.Runner()
        self.loop.run(self._begin(*plan.records))
        self.world = World(self.store)

    async def _begin(self, *records: Record) -> None:
        await self.store.start()
        await self.store.put(*records)

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.loop.run(self.store.close())
        self.loop.close()
        self.folder.cleanup()

    @rule(batch=st.lists(ATTEMPTS, min_size=8, max_size=24))
    def both_try(self, batch: list[Attempt]) -> None:
        """Requests of both that are on their way at the same time."""
        before = self.store.ledger()
        requests = [self._sent(attempt) for attempt in batch]
        answers = self.loop.run(self._answers(batch, requests))
        changed = self._changed_since(before)
        did = {
            self.names[attempt.by].tenant
            for attempt, answer in zip(batch, answers, strict=True)
            if answer.is_success
        }
        assert {owner_of(record) for record in changed} <= did, (batch, changed)
        for attempt, request, answer in zip(batch, requests, answers, strict=True):
            own, other = self.names[attempt.by], self.names[1 - attempt.by]
            assert leaked(answer, repr(request), own, other, self.store.kept) == [], answer.text

    @rule(about=st.integers(0, 1), what=st.sampled_from(["freeze", "unfreeze", "fund"]))
    def the_operator_acts_on_one(self, about: int, what: str) -> None:
        """What the operator does to one tenant is done to that one alone."""
        names, before = self.names[about], self.store.ledger()
        params = {"scope": names.writer, "unit": "TOKENS", "tenant_id": names.tenant}
        body = {"operation": "CREDIT", "amount": names.tokens()} if what == "fund" else {}
        self.loop.run(self._operate("POST", f"/v1/admin/budgets/{what}", body, params))
        assert {owner_of(record) for record in self._changed_since(before)} <= {names.tenant}

    @rule(about=st.integers(0, 1), status=st.sampled_from(STATES))
    def a_tenant_changes_its_state(self, about: int, status: str) -> None:
        """Suspended, reactivated or closed with all that it has: the other goes on."""
        names, before = self.names[about], self.store.ledger()
        path = f"/v1/admin/tenants/{names.tenant}"
        self.loop.run(self._operate("PATCH", path, {"status": status}, {}))
        assert {owner_of(record) for record in self._changed_since(before)} <= {names.tenant}

    @rule(seconds=st.integers(1, 90))
    def time_passes(self, seconds: int) -> None:
        """Leases run out, and what they held comes back."""
        self.clock.advance(seconds * 1_000)
        self.loop.run(Sweeper(self.world.operator.store).sweep_once())

    async def _answers(self, batch: list[Attempt], sent: list[Sent]) -> list[httpx.Response]:
        clients = [self.world.client(names.key) for names in self.names]
        asked = [
            clients[attempt.by].request(each.method, each.path, json=each.json, params=each.params)
            for attempt, each in zip(batch, sent, strict=True)
        ]
        return list(await asyncio.gather(*asked))

    async def _operate(self, method: str, path: str, body: Any, params: Any) -> None:
        async with self.world.client(OPERATOR) as admin:
            await admin.request(method, path, json=body, params=params)

    def _sent(self, attempt: Attempt) -> Sent:
        """The request, with a reservation of whom it is about."""
        own, about = self.names[attempt.by], self.names[attempt.about]
        held = [
            record.reservation_id
            for record in self.store.kept.values()
            if isinstance(record, Reservation) and record.tenant == about.tenant
        ]
        return TRIED[attempt.what](own, about, attempt, held[attempt.which % len(held)])

    def _changed_since(self, before: dict[Key, Record]) -> list[Record]:
        """The records that changed; the numbers of each are still those of its tenant."""
        after = self.store.ledger()
        changed = [record for key, record in after.items() if before.get(key) != record]
        for record in changed:
            (own,) = [names for names in self.names if names.tenant == owner_of(record)]
            assert all(number % own.step == 0 for number in numbers_of(record)), record
        return changed


def owner_of(record: Record) -> str | None:
    """The tenant that a record belongs to."""
    owner: str | None = getattr(record, "tenant", None) or getattr(record, "tenant_id", None)
    return owner


def numbers_of(record: Record) -> tuple[int, ...]:
    """The amounts that a record holds."""
    match record:
        case Account():
            return (record.allocated, record.spent, record.reserved, record.debt)
        case Reservation():
            return (record.estimate.amount, record.charged or 0)
        case _:
            return ()


def leaked(
    answer: httpx.Response, said: str, own: Names, other: Names, kept: dict[Key, Record]
) -> list[str]:
    """What of the other tenant is in an answer, and was not in the request."""
    told = f"{answer.headers!r} {answer.text}"
    secrets = {other.tenant, other.key_id, other.policy_id, other.secret}
    for record in kept.values():
        if owner_of(record) == other.tenant:
            secrets |= {
                str(value)
                for name in ("reservation_id", "policy_id", "key_id", "decision_id")
                if (value := getattr(record, name, None)) is not None
            }
            if isinstance(record, Account):
                secrets.add(record.budget.ledger_id)
    found = [secret for secret in secrets if secret in told and secret not in said]
    numbers = {number for number in NUMBER.findall(told) if int(number) and number not in said}
    return found + [number for number in numbers if int(number) % other.step == 0]
