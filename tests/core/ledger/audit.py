"""The ledger and the naive model side by side: each question goes to both, each answer is compared.

Few tenants, scopes, keys and amounts, so that they collide all the time.
"""

import json
from dataclasses import asdict
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runcycles import wire
from runcycles.errors import CyclesProtocolError
from runcycles.ledger.idempotency import Answered, Replayed
from runcycles.ledger.state import Account
from runcycles.ops import Commit, Decide, Extend, Record, Refused, Release, Reserve
from runcycles.testing import InMemoryAuthority
from runcycles.types import Action, Amount, BudgetStatus, OveragePolicy, Subject, Unit
from tests.core.ledger.naive_model import NaiveLedger
from tests.core.ledger.naive_words import DAY, Body, BudgetKey, Refusal, Reply

SUBJECTS = st.sampled_from(
    [
        Subject(tenant="acme"),
        Subject(tenant="acme", agent="bot"),
        Subject(tenant="acme", agent="Bot"),
        Subject(tenant="acme", workspace="dev", agent="bot"),
        Subject(tenant="acme", workspace="dev", toolset="none"),
        Subject(agent="bot"),
        Subject(tenant="beta", agent="bot"),
    ]
)
BUDGETS: list[BudgetKey] = [
    ("acme", "tenant:acme", "TOKENS"),
    ("acme", "tenant:acme/agent:bot", "TOKENS"),
    ("acme", "tenant:acme/workspace:dev/agent:bot", "TOKENS"),
    ("acme", "agent:bot", "TOKENS"),
    ("acme", "tenant:acme", "CREDITS"),
    ("beta", "tenant:beta/agent:bot", "TOKENS"),
]
STRANGER = st.sampled_from([""] * 20 + ["acme", "beta", "stranger"])
UNITS = st.sampled_from([Unit.TOKENS] * 9 + [Unit.CREDITS, Unit.RISK_POINTS])
FUNDS = st.integers(0, 60)
AMOUNTS = st.one_of([st.integers(0, 20)] * 7 + [st.just(2**63 - 1)])
POLICIES = st.one_of(st.none(), st.sampled_from(OveragePolicy))
KEYS = st.sampled_from(["", "", "", "", "one", "two"])
"""An empty one stands for a key that was never used."""
WHICH = st.integers(0, 5)
"""One of the latest questions, or of the reservations, the active and the latest first."""
ACTION = Action(kind="llm.completion", name="gpt-4o")


Question = Reserve | Decide | Record | Commit | Release | Extend


class Audit(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.authority = InMemoryAuthority()
        self.clock = self.authority.clock
        self.model = NaiveLedger(self.clock.now_ms())
        self.said_no = False
        self.asked: list[tuple[Question, str]] = []
        self.fresh_keys = (f"fresh-{number}" for number in count())

    # --- what operators do ---

    @initialize(allocated=st.lists(FUNDS, min_size=3, max_size=6), limit=st.sampled_from([0, 0, 9]))
    def open_the_first_budgets(self, allocated: list[int], limit: int) -> None:
        for key, amount in zip(BUDGETS, allocated, strict=False):
            self._open(key, amount, limit, None)

    @rule(
        key=st.sampled_from(BUDGETS),
        what=st.sampled_from(["fund", "fund", "edit", "open", "delete"]),
        amount=st.one_of(FUNDS, FUNDS, FUNDS, st.just(2**63 - 1)),
        limit=st.sampled_from([0, 0, 3, 20]),
        policy=POLICIES,
        status=st.sampled_from([*BudgetStatus, "ACTIVE", "ACTIVE"]),
    )
    def operate_on_a_budget(
        self,
        *,
        key: BudgetKey,
        what: str,
        amount: int,
        limit: int,
        policy: OveragePolicy | None,
        status: str,
    ) -> None:
        there = key in self.model.budgets
        held = any(key in hold["budgets"] for hold in self.model.active())
        if what == "open" and not there and not held:
            self._open(key, amount, limit, policy)
        elif what == "edit" and there:
            self.model.budgets[key] |= {"allocated": amount, "limit": limit, "status": status}
            fields = {"allocated": amount, "overdraft_limit": limit, "status": BudgetStatus(status)}
            self.authority.edit_budget(key[1], Unit(key[2]), tenant=key[0], **fields)
        elif what == "fund" and there:
            self._fund(key, amount)
        elif what == "delete" and there:
            self.model.delete(key)
            self.authority.remove_budget(key[1], Unit(key[2]), tenant=key[0])

    def _open(
        self, key: BudgetKey, allocated: int, limit: int, policy: OveragePolicy | None
    ) -> None:
        self.model.open(key, allocated=allocated, limit=limit, policy=policy)
        self.authority.add_budget(
            key[1],
            Amount(unit=Unit(key[2]), amount=allocated),
            tenant=key[0],
            overdraft_limit=limit,
            overage_policy=policy,
        )

    def _fund(self, key: BudgetKey, amount: int) -> None:
        expected = self.model.fund(key, amount)
        try:
            self.authority.fund(key[1], Amount(unit=Unit(key[2]), amount=amount), tenant=key[0])
            code = None
        except CyclesProtocolError as error:
            code = error.error_code
        assert code == (expected and expected.code)

    @rule(
        tenant=st.sampled_from(["acme", "beta"]),
        status=st.sampled_from(["ACTIVE"] * 6 + ["SUSPENDED", "CLOSED", "closed"]),
        ttl=st.sampled_from([1_000, 60_000]),
        max_ttl=st.sampled_from([2_000, 3_600_000]),
        extensions=st.integers(0, 2),
        policy=st.sampled_from(OveragePolicy),
    )
    def change_a_tenant(self, tenant: str, policy: OveragePolicy, **settings: Any) -> None:
        self.model.tenants.setdefault(tenant, {}).update({**settings, "policy": str(policy)})
        self.authority.set_tenant(
            tenant,
            status=settings["status"],
            default_ttl_ms=settings["ttl"],
            max_ttl_ms=settings["max_ttl"],
            max_extensions=settings["extensions"],
            overage_policy=policy,
        )

    # --- time ---

    @rule(ms=st.sampled_from([1] * 6 + [999] * 4 + [5_000, 60_000, DAY, 7 * DAY, 30 * DAY]))
    def let_time_pass(self, ms: int) -> None:
        self.clock.advance(ms)
        self.model.now += ms

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, after_grace=st.booleans(), late_by=st.integers(0, 1), sweep=st.booleans())
    def wait_for_the_end_of_a_lease(
        self, which: int, after_grace: bool, late_by: int, sweep: bool
    ) -> None:
        hold = self._hold(which)[1]
        end = hold["expires"] + (hold["grace"] if after_grace else 0) + late_by
        if end > self.model.now:
            self.let_time_pass(end - self.model.now)
        if sweep:
            assert self.authority.sweep() == self.model.sweep()

    # --- what agents ask ---

    @rule(
        subject=SUBJECTS,
        unit=UNITS,
        amount=AMOUNTS,
        key=KEYS,
        policy=POLICIES,
        ttl=st.sampled_from([None, 1_000, 10_000]),
        grace=st.sampled_from([None, 0, 5_000]),
        dry_run=st.sampled_from([None, None, None, False, True]),
        stranger=STRANGER,
    )
    def reserve(
        self,
        *,
        subject: Subject,
        unit: Unit,
        amount: int,
        key: str,
        policy: OveragePolicy | None,
        ttl: int | None,
        grace: int | None,
        dry_run: bool | None,
        stranger: str,
    ) -> None:
        op = Reserve(
            idempotency_key=self._key(key),
            subject=subject,
            action=ACTION,
            estimate=Amount(unit=unit, amount=amount),
            ttl_ms=ttl,
            grace_period_ms=grace,
            overage_policy=policy,
            dry_run=dry_run,
        )
        self._ask(op, stranger or subject.tenant or "acme")

    @rule(amount=st.integers(1, 5), policy=POLICIES)
    def reserve_a_little(self, amount: int, policy: OveragePolicy | None) -> None:
        """So that there is mostly something to settle."""
        self.reserve(
            subject=Subject(tenant="acme", agent="bot"),
            unit=Unit.TOKENS,
            amount=amount,
            key="",
            policy=policy,
            ttl=None,
            grace=None,
            dry_run=None,
            stranger="",
        )

    @rule(subject=SUBJECTS, unit=UNITS, amount=AMOUNTS, key=KEYS, stranger=STRANGER)
    def decide(self, subject: Subject, unit: Unit, amount: int, key: str, stranger: str) -> None:
        op = Decide(
            idempotency_key=self._key(key),
            subject=subject,
            action=ACTION,
            estimate=Amount(unit=unit, amount=amount),
        )
        self._ask(op, stranger or subject.tenant or "acme")

    @rule(subject=SUBJECTS, unit=UNITS, amount=AMOUNTS, key=KEYS, policy=POLICIES)
    def record(
        self, subject: Subject, unit: Unit, amount: int, key: str, policy: OveragePolicy | None
    ) -> None:
        op = Record(
            idempotency_key=self._key(key),
            subject=subject,
            action=ACTION,
            actual=Amount(unit=unit, amount=amount),
            overage_policy=policy,
        )
        self._ask(op, subject.tenant or "acme")

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, unit=UNITS, amount=AMOUNTS, key=KEYS, stranger=STRANGER)
    def commit(self, which: int, unit: Unit, amount: int, key: str, stranger: str) -> None:
        hold_id, hold = self._hold(which)
        actual = Amount(unit=unit, amount=amount)
        op = Commit(reservation_id=hold_id, idempotency_key=self._key(key), actual=actual)
        self._ask(op, stranger or hold["tenant"])

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, key=KEYS, stranger=STRANGER)
    def release(self, which: int, key: str, stranger: str) -> None:
        hold_id, hold = self._hold(which)
        op = Release(reservation_id=hold_id, idempotency_key=self._key(key))
        self._ask(op, stranger or hold["tenant"])

    @precondition(lambda self: self.model.holds)
    @rule(which=WHICH, key=KEYS, ms=st.sampled_from([1, 10_000]), stranger=STRANGER)
    def extend(self, which: int, key: str, ms: int, stranger: str) -> None:
        hold_id, hold = self._hold(which)
        op = Extend(reservation_id=hold_id, idempotency_key=self._key(key), extend_by_ms=ms)
        self._ask(op, stranger or hold["tenant"])

    @precondition(lambda self: self.asked)
    @rule(which=WHICH)
    def ask_the_same_again(self, which: int) -> None:
        self._ask(*self.asked[-1 - which % len(self.asked)])

    # --- the comparison ---

    def _key(self, key: str) -> str:
        return key or next(self.fresh_keys)

    def _hold(self, which: int) -> tuple[str, dict[str, Any]]:
        holds = sorted(self.model.holds.items(), key=lambda item: item[1]["status"] == "ACTIVE")
        return holds[-1 - which % len(holds)]

    def _ask(self, op: Question, caller: str) -> None:
        """Ask both, and let the model use the id that the ledger made up."""
        self.asked.append((op, caller))
        found = as_the_model_says_it(self.authority.ask(op, tenant=caller))
        said = {} if isinstance(found, Refusal) else found
        new_id = said.get("reservation_id") or said.get("event_id") or "none"
        body = json.loads(wire.encode_body(op) or b"")
        expected = ask_the_model(self.model, op, body, caller, new_id)
        assert found == expected
        self.said_no = isinstance(found, Refusal) or found.get("decision") == "DENY"

    @invariant()
    def budgets_agree(self) -> None:
        accounts = {account.key[1:]: account for account in self.authority.accounts()}
        assert {key: numbers(account) for key, account in accounts.items()} == {
            key: self.model.numbers(key) for key in self.model.budgets
        }

    @invariant()
    def reservations_agree(self) -> None:
        assert {row.reservation_id: row.status for row in self.authority.reservations()} == {
            hold_id: hold["status"] for hold_id, hold in self.model.holds.items()
        }

    @invariant()
    def every_account_keeps_its_own_books(self) -> None:
        """Asked of the ledger alone: an error that the model shares would show here."""
        rows = self.authority.reservations()
        for account in self.authority.accounts():
            held = (
                row.estimate.amount
                for row in rows
                if row.status == "ACTIVE" and account.key in row.account_keys
            )
            assert account.reserved == sum(held)
            used = account.spent + account.reserved + account.debt
            assert account.remaining == account.allocated - used
            assert min(account.spent, account.reserved, account.debt, account.allocated) >= 0


def ask_the_model(model: NaiveLedger, op: Question, body: Body, caller: str, new_id: str) -> Reply:
    """What the model says to a question in its body; `new_id` names what it makes, if anything."""
    match op:
        case Reserve():
            return model.reserve(caller, body, new_id)
        case Decide():
            return model.decide(caller, body)
        case Record():
            return model.event(caller, body, new_id)
        case Commit():
            return model.commit(caller, op.reservation_id, body)
        case Release():
            return model.release(caller, op.reservation_id, body)
        case Extend():
            return model.extend(caller, op.reservation_id, body)


def numbers(account: Account) -> dict[str, Any]:
    return {
        "allocated": account.allocated,
        "spent": account.spent,
        "reserved": account.reserved,
        "debt": account.debt,
        "limit": account.overdraft_limit,
        "flag": account.is_over_limit,
        "status": account.status,
    }


def as_the_model_says_it(answer: Answered[Any] | Replayed | Refused) -> Reply:
    if isinstance(answer, Refused):
        remaining = answer.remaining if answer.reason else None
        quota: dict[str, Any] | None = None
        if answer.quota is not None:
            said = asdict(answer.quota).items()
            quota = {name: value for name, value in said if value is not None}
        return Refusal(
            answer.code,
            answer.reason,
            answer.scope,
            remaining,
            answer.policy_id,
            quota,
            answer.retry_after_ms,
        )
    ttl = answer.remaining_ttl_ms if isinstance(answer, Replayed) else None
    body: dict[str, Any] = json.loads(wire.with_remaining_ttl(answer.raw, ttl))
    body.get("deny_detail", {}).pop("suggested_fix", None)
    return body
