"""What operators do meanwhile: fund, freeze, stop, and say what may be done."""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any

from runcycles.errors import CyclesProtocolError, StoreError
from runcycles.ledger.funding import FundOperation
from runcycles.ledger.idempotency import Answered, Replayed
from runcycles.ledger.policies import Policy, PolicyBook, RateLimits, policies_key
from runcycles.ledger.state import Account, Budget, Outcome, Tenant, tenant_key
from runcycles.ops import Refused
from runcycles.types import BudgetStatus, ObserveMode, OveragePolicy, QuotaWindow, Unit, tokens
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.governance.budgets import commands as budgets
from runcycles_server.governance.budgets.bodies import Freeze, Fund
from runcycles_server.governance.budgets.places import place_of
from runcycles_server.governance.stops import commands as stops
from runcycles_server.governance.stops.bodies import StopCreate
from tests.core.ledger.action_audit import a_quota
from tests.core.ledger.naive_words import BudgetKey
from tests.simulation.court import JUDGE, Court, Judge
from tests.simulation.line import KilledError
from tests.simulation.oracle import Oracle
from tests.simulation.server import Server

TENANTS = ["acme", "beta"]
SCOPES = ["", "/agent:shared", "/agent:one", "/workspace:dev", "/workspace:dev/agent:shared"]
ROOT, LEAF, LIMIT = 800, 250, 60
ACTOR = Actor()


class Operators:
    """The two tenants' operators; each thing they do is judged like any question."""

    def __init__(self, server: Server, court: Court, rng: Random) -> None:
        self.server = server
        self.court = court
        self.rng = rng
        self.policies = 0

    async def open(self) -> None:
        """Two tenants, some budgets; one of them may be overdrawn."""
        oracle = self.court.oracle
        for tenant in TENANTS:
            await self._keep(tenant_key(tenant), Tenant(tenant_id=tenant), lambda _: None)
            for scope in SCOPES:
                limit = LIMIT if scope == "/agent:one" else 0
                key = (tenant, f"tenant:{tenant}{scope}", "TOKENS")
                allocated = LEAF if scope else ROOT
                account = Account(
                    tenant=tenant,
                    scope=key[1],
                    unit=Unit.TOKENS,
                    allocated=allocated,
                    overdraft_limit=limit,
                    budget=Budget(ledger_id="".join(key), created_at_ms=0, updated_at_ms=0),
                )
                oracle.open(key, allocated, limit, None)
                await self._keep(account.key, account, lambda _: None)

    async def work(self, is_over: Callable[[], bool], pause: Callable[[], Any]) -> None:
        doings = [self.fund] * 24 + [self.freeze] + [self.unfreeze] * 6
        doings += [self.stop] + [self.lift] * 8 + [self.observe] + [self.say] * 2
        while not is_over():
            await pause()
            if self.server.is_up:
                # refused, busy, or died meanwhile: another time perhaps
                with suppress(CyclesProtocolError, StoreError, KilledError):
                    await self.rng.choice(doings)()

    # --- budgets ---

    def _somewhere(self) -> BudgetKey:
        tenant = self.rng.choice(TENANTS)
        return (tenant, f"tenant:{tenant}{self.rng.choice(SCOPES)}", "TOKENS")

    async def fund(self) -> None:
        """Pay in or pay back, and ask again with the same key as if no answer had come."""
        key, amount = self._somewhere(), self.rng.randrange(1, 300)
        what = self.rng.choice([FundOperation.CREDIT, FundOperation.REPAY_DEBT])
        if not key[1].rpartition("/")[1]:
            amount *= 2
        request = Fund(
            operation=what, amount=tokens(amount), idempotency_key=f"{self.rng.getrandbits(64):x}"
        )
        intention = (key[0], str(request.idempotency_key))

        def judge(oracle: Oracle, outcome: Outcome[Any]) -> None:
            self.court.count("fund")
            match outcome.reply:
                case Replayed():
                    assert intention in oracle.funded, f"{intention} was never funded"
                case Answered():
                    assert intention not in oracle.funded, f"{intention} was funded twice"
                    oracle.funded.add(intention)
                    pay = oracle.repay if what is FundOperation.REPAY_DEBT else oracle.fund
                    refusal = pay(key, amount)
                    assert refusal is None, f"funded, though {refusal}"
                case Refused(code=code):
                    status = oracle.budgets[key]["status"]
                    assert code == f"BUDGET_{status}", f"{code}, though {key} is {status}"
                case other:
                    raise AssertionError(f"funding was answered {other}")

        place = place_of(key[1], Unit.TOKENS)
        for _ in range(self.rng.choice([1, 1, 2])):
            await self._do(judge, budgets.fund(self.server.operator, request, ACTOR, place))

    async def freeze(self) -> None:
        await self._set_status(BudgetStatus.FROZEN, budgets.freeze)

    async def unfreeze(self) -> None:
        await self._set_status(BudgetStatus.ACTIVE, budgets.unfreeze)

    async def _set_status(self, status: BudgetStatus, command: Callable[..., Any]) -> None:
        key = self._somewhere()
        frozen = [
            k for k, found in self.court.oracle.budgets.items() if found["status"] != "ACTIVE"
        ]
        if frozen and status is BudgetStatus.ACTIVE:
            key = self.rng.choice(frozen)

        def judge(oracle: Oracle, outcome: Outcome[Any]) -> None:
            if not isinstance(outcome.reply, Refused):
                oracle.budgets[key]["status"] = str(status)

        place = place_of(key[1], Unit.TOKENS)
        await self._do(judge, command(self.server.operator, Freeze(reason="so"), ACTOR, place))

    # --- authority ---

    async def stop(self) -> None:
        tenant = self.rng.choice(TENANTS)
        target = self.rng.choice(["*", f"tenant:{tenant}", f"tenant:{tenant}/agent:shared"])

        def judge(oracle: Oracle, outcome: Outcome[Any]) -> None:
            if not isinstance(outcome.reply, Refused):
                oracle.stops[outcome.reply.stop_id] = target

        request = StopCreate(target=target, reason="so")
        await self._do(judge, stops.stop(self.server.operator, request, ACTOR))

    async def lift(self) -> None:
        for stop_id in list(self.court.oracle.stops):

            def judge(oracle: Oracle, outcome: Outcome[Any], stop_id: str = stop_id) -> None:
                if not isinstance(outcome.reply, Refused):
                    del oracle.stops[stop_id]

            await self._do(judge, stops.lift(self.server.operator, stop_id, ACTOR))

    async def observe(self) -> None:
        tenant = self.rng.choice(TENANTS)
        mode = self.rng.choice([ObserveMode.ENFORCE] * 5 + [ObserveMode.OBSERVE])
        record = Tenant(
            tenant_id=tenant, observe_mode=mode, overage_policy=self.rng.choice(list(OveragePolicy))
        )

        def judge(oracle: Oracle) -> None:
            told = oracle.tenants.setdefault(tenant, {})
            told |= {"observe": str(mode), "policy": str(record.overage_policy)}

        await self._keep(tenant_key(tenant), record, judge)

    async def say(self) -> None:
        """A new policy in the place of an old one: quotas per run and per minute, lists, rates."""
        rng, tenant = self.rng, self.rng.choice(TENANTS)
        quota: dict[str, Any] = {
            **rng.choice([{"kind": "message.email.send"}, {"risk_class": "external_side_effect"}]),
            "most": rng.randrange(1, 6),
            "window": str(rng.choice([QuotaWindow.PER_RUN, *QuotaWindow])),
            "ttl": None,
            "hosts": [],
        }
        said: dict[str, Any] = {
            "id": f"{tenant}-{rng.randrange(2)}",
            "pattern": f"tenant:{tenant}" + rng.choice(["", "/agent:shared", "/agent:*", "/*"]),
            "quotas": [quota] if rng.random() < 0.8 else [],
            "denied": rng.choice([[], [], ["message.sms.send"]]),
            "allowed": [],
            "rate": rng.choice([None, None, 20]),
            "commit_rate": rng.choice([None, None, 30]),
            "priority": rng.randrange(2),
            "active": rng.random() < 0.8,
            "overage": rng.choice([None, None, *OveragePolicy]),
            **dict.fromkeys(("ttl", "max_ttl", "extensions", "max_tokens")),
            "since": self.server.store.now_ms(),
        }
        found = await self.server.store.get(policies_key(tenant))
        book = (found or PolicyBook(tenant=tenant)).keeping(_policy(said))

        def judge(oracle: Oracle) -> None:
            oracle.policies[tenant, said["id"]] = said

        await self._keep(book.key, book, judge)

    # --- how ---

    async def _do(self, judge: Judge, doing: Coroutine[Any, Any, Any]) -> None:
        token = JUDGE.set(judge)
        try:
            await doing
        finally:
            JUDGE.reset(token)

    async def _keep(self, key: Any, record: Any, told: Callable[[Oracle], None]) -> None:
        """Keep a record as it is, and tell the oracle once it is kept."""

        def judge(oracle: Oracle, outcome: Outcome[Any]) -> None:
            told(oracle)

        keep = self.server.store.transact((key,), lambda _: Outcome(None, (record,)))
        await self._do(judge, keep)


def _policy(said: dict[str, Any]) -> Policy:
    rates = RateLimits(
        max_reservations_per_minute=said["rate"], max_commits_per_minute=said["commit_rate"]
    )
    return Policy(
        policy_id=said["id"],
        name=said["id"],
        scope_pattern=said["pattern"],
        created_at_ms=said["since"],
        is_active=said["active"],
        priority=said["priority"],
        overage_policy=said["overage"],
        rate_limits=rates,
        quotas=tuple(a_quota(quota) for quota in said["quotas"]),
        denied_action_kinds=tuple(said["denied"]),
        allowed_action_kinds=tuple(said["allowed"]),
    )
