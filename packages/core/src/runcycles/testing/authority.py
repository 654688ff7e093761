"""The authority without a server: the real rules over a dict, inside this process.

Every question and every answer goes through the wire's own encoding, so code that was tested here
meets nothing new when it talks to a server.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final, TypeVar, assert_never, cast

from runcycles import wire
from runcycles.errors import CyclesProtocolError
from runcycles.ids import new_id
from runcycles.ledger.apply import Request, expiry, plan
from runcycles.ledger.funding import FundOperation, fund
from runcycles.ledger.idempotency import Answer, Answered, Replayed
from runcycles.ledger.memory import DictStore
from runcycles.ledger.policies import (
    EVERYTHING,
    STOPS_KEY,
    Counter,
    DeclaredKind,
    Policy,
    PolicyBook,
    Stop,
    Stops,
    policies_key,
)
from runcycles.ledger.state import (
    Account,
    Budget,
    Reservation,
    Tenant,
    account_key,
    reservation_key,
    tenant_key,
)
from runcycles.ops import Balances, GetReservation, ListReservations, Op, Refused
from runcycles.testing.clock import FakeClock
from runcycles.testing.reads import read
from runcycles.transports import SENDING
from runcycles.types import Amount, BudgetStatus, OveragePolicy, RiskClass, Unit

R = TypeVar("R")

SWEEP_BATCH: Final = 1_000
"""How many reservations are looked up at once; the sweep goes on until none is overdue."""


class InMemoryAuthority:
    """Decides like a server, from a dict. Safe to share between threads.

    Scopes are spelled out: `{"tenant:acme": usd("5"), "tenant:acme/agent:writer": usd("1")}`.
    Time stands still; `clock.advance(ms)` moves it. Where a method takes a `tenant`, it means
    another one than the authority's own.
    """

    def __init__(
        self,
        *,
        tenant: str = "acme",
        budgets: Mapping[str, Amount] | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        self.tenant = tenant
        self.clock = FakeClock() if clock is None else clock
        self._store = DictStore(self.clock.now_ms)
        self._lock = Lock()
        for scope, allocated in (budgets or {}).items():
            self.add_budget(scope, allocated)

    # ── for the spender ──────────────────────────────────────────────────────────────────────

    def transport(self) -> "InMemoryTransport":
        """What a client sends its questions through."""
        return InMemoryTransport(self)

    def async_transport(self) -> "AsyncInMemoryTransport":
        """What an async client sends its questions through."""
        return AsyncInMemoryTransport(self)

    def send(self, op: Op[R], *, tenant: str | None = None) -> R:
        """The answer that a client would get over the wire.

        Raises:
            CyclesProtocolError: every answer that is not a success, as its own class; a denied
                live reserve among them. A denied dry run or decide is a value.
        """
        return received(op, self.ask(op, tenant=tenant))

    def ask(self, op: Op[Any], *, tenant: str | None = None) -> Answer[Any]:
        """The ledger's own answer, which tells a replay from a fresh one.

        Raises:
            InvalidRequestError: where the op breaks a limit of the protocol.
        """
        caller = self.tenant if tenant is None else tenant
        op_type = type(op)
        if isinstance(op, Balances | GetReservation | ListReservations):
            path = {"reservation_id": op.reservation_id} if isinstance(op, GetReservation) else {}
            asked: Any = wire.parse_query(op_type, wire.query_of(op), **path)
            with self._lock:
                found = read(self._store, asked, caller)
            if isinstance(found, Refused):
                return found
            return Answered(found, wire.encode_reply(op_type, found))
        body = wire.encode_body(op) or b""
        parsed: Any = wire.parse_body(op_type, body, getattr(op, "reservation_id", ""))
        request: Request[Any] = Request(
            tenant=caller,
            fingerprint=wire.fingerprint(parsed),
            encode=lambda outcome: wire.encode_reply(
                op_type, outcome.reply, shown=outcome.shown, extended=True
            ),
            fresh_id=new_id(),
        )
        planned = plan(parsed, request)
        with self._lock:
            answer: Answer[Any] = self._store.transact(planned.footprint, planned.transition)
        return answer

    # ── for the operator ─────────────────────────────────────────────────────────────────────

    def add_budget(
        self,
        scope: str,
        allocated: Amount,
        *,
        tenant: str | None = None,
        overage_policy: OveragePolicy | None = None,
        **fields: Any,
    ) -> None:
        """Open a budget. Further `fields` of the account may start it in mid-life.

        Raises:
            ValueError: where the scope has one in this unit.
        """
        now_ms = self.clock.now_ms()
        budget = Budget(
            ledger_id=new_id(),
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            overage_policy=overage_policy,
        )
        account = Account(
            tenant=self.tenant if tenant is None else tenant,
            scope=scope,
            unit=allocated.unit,
            allocated=allocated.amount,
            budget=budget,
            **fields,
        )
        with self._lock:
            if self._store.records.setdefault(account.key, account) is not account:
                raise ValueError(f"{scope} has a budget in {account.unit} already")

    def edit_budget(
        self, scope: str, unit: Unit | None = None, *, tenant: str | None = None, **fields: Any
    ) -> None:
        """Overwrite fields of an account: `edit_budget("tenant:acme", overdraft_limit=50)`."""
        self._change(scope, unit, tenant, lambda account: replace(account, **fields))

    def freeze(self, scope: str, unit: Unit | None = None, *, tenant: str | None = None) -> None:
        """Take nothing new from a budget; what runs may be settled."""
        self.edit_budget(scope, unit, tenant=tenant, status=BudgetStatus.FROZEN)

    def fund(self, scope: str, amount: Amount, *, tenant: str | None = None) -> Account:
        """Allocate more; the account after it.

        Raises:
            CyclesProtocolError: where the budget is frozen or closed.
        """
        funded = self._change(
            scope, amount.unit, tenant, lambda account: fund(account, FundOperation.CREDIT, amount)
        )
        if isinstance(funded, Refused):
            raise _error(None, funded)
        return funded

    def remove_budget(
        self, scope: str, unit: Unit | None = None, *, tenant: str | None = None
    ) -> None:
        """Delete a budget, whatever it holds."""
        with self._lock:
            del self._store.records[self._find(scope, unit, tenant).key]

    def set_tenant(self, tenant: str | None = None, **fields: Any) -> None:
        """Keep a tenant record: `set_tenant(status="CLOSED")`, `set_tenant(max_ttl_ms=5_000)`."""
        record = Tenant(tenant_id=self.tenant if tenant is None else tenant)
        with self._lock:
            known = self._store.records.get(tenant_key(record.tenant_id), record)
            self._store.records[record.key] = replace(known, **fields)

    def add_policy(
        self,
        scope_pattern: str,
        *,
        tenant: str | None = None,
        policy_id: str | None = None,
        **fields: Any,
    ) -> Policy:
        """Say what may be done below a scope: `add_policy("tenant:acme", quotas=(Quota(...),))`.

        One that has this id is replaced. Further `fields` are those of a policy.
        """
        made_id = f"pol_{new_id()}" if policy_id is None else policy_id
        given = {"name": made_id, "created_at_ms": self.clock.now_ms(), **fields}
        policy = Policy(policy_id=made_id, scope_pattern=scope_pattern, **given)
        owner = self.tenant if tenant is None else tenant
        with self._lock:
            book = self._store.records.get(policies_key(owner)) or PolicyBook(tenant=owner)
            self._store.keep(book.keeping(policy))
        return policy

    def declare_kind(self, kind: str, risk_class: RiskClass, **fields: Any) -> None:
        """Say what a `custom.*` kind can do; before that it is a bad request."""
        with self._lock:
            self._store.keep(DeclaredKind(kind=kind, risk_class=risk_class, **fields))

    def stop(self, target: str = EVERYTHING, *, reason: str, stop_id: str | None = None) -> Stop:
        """Let nothing new begin at a scope and below, or anywhere at all."""
        stop = Stop(
            stop_id=f"stop_{new_id()}" if stop_id is None else stop_id,
            target=target,
            reason=reason,
            stopped_by="operator",
            stopped_at_ms=self.clock.now_ms(),
        )
        with self._lock:
            self._store.keep(self._stops().adding(stop))
        return stop

    def lift(self, stop_id: str) -> None:
        """End a stop.

        Raises:
            LookupError: where there is none of this id.
        """
        with self._lock:
            held = self._stops()
            lifted = held.lifting(stop_id)
            if lifted == held:
                raise LookupError(f"there is no stop {stop_id}")
            self._store.keep(lifted)

    def counters(self) -> list[Counter]:
        """What the quotas of all tenants have counted."""
        with self._lock:
            return list(self._store.of_kind(Counter))

    def sweep(self) -> int:
        """Expire everything overdue; how many reservations that was."""
        expired = 0
        with self._lock:
            while overdue := self._store.due(SWEEP_BATCH):
                for reservation_id in overdue:
                    planned = expiry(reservation_id)
                    expired += self._store.transact(planned.footprint, planned.transition)
        return expired

    def account(
        self, scope: str, unit: Unit | None = None, *, tenant: str | None = None
    ) -> Account:
        """The record of one budget; where a scope has only one, its unit need not be named.

        Raises:
            LookupError: where there is none, or more than one.
        """
        with self._lock:
            return self._find(scope, unit, tenant)

    def accounts(self) -> list[Account]:
        """The records of all budgets of all tenants."""
        with self._lock:
            return list(self._store.of_kind(Account))

    def reservation(self, reservation_id: str) -> Reservation | None:
        """The record of a reservation, if there is one."""
        with self._lock:
            return cast(
                "Reservation | None", self._store.records.get(reservation_key(reservation_id))
            )

    def reservations(self) -> list[Reservation]:
        """The records of all reservations of all tenants."""
        with self._lock:
            return list(self._store.of_kind(Reservation))

    def _stops(self) -> Stops:
        return self._store.records.get(STOPS_KEY) or Stops()

    def _find(self, scope: str, unit: Unit | None, tenant: str | None) -> Account:
        owner = self.tenant if tenant is None else tenant
        keys = [account_key(owner, scope, each) for each in ([unit] if unit else Unit)]
        found = [self._store.records[key] for key in keys if key in self._store.records]
        if len(found) != 1:
            raise LookupError(f"{owner} has {len(found)} such budgets at {scope}, not one")
        return cast("Account", found[0])

    def _change(
        self,
        scope: str,
        unit: Unit | None,
        tenant: str | None,
        change: Callable[[Account], Account | Refused],
    ) -> Account | Refused:
        with self._lock:
            changed = change(self._find(scope, unit, tenant))
            if isinstance(changed, Account):
                self._store.records[changed.key] = changed
            return changed


def received(op: Op[R], answer: Answer[Any]) -> R:
    """An answer of the ledger as it arrives at a client.

    Raises:
        CyclesProtocolError: where it is a refusal.
    """
    match answer:
        case Answered():
            body = answer.raw
        case Replayed():
            body = wire.with_remaining_ttl(answer.raw, answer.remaining_ttl_ms)
        case Refused():
            raise _error(op, answer)
        case _:
            assert_never(answer)
    status = wire.ENDPOINTS[type(op)].status
    return wire.as_observed(op, wire.decode_reply(op, status, body, request_id=new_id()))


def _error(op: Op[Any] | None, refused: Refused) -> CyclesProtocolError:
    """A refusal as an error body with its ids, and that as an error."""
    problem = wire.problem_of(refused)
    sending = SENDING.get()
    trace_id = sending.trace_id if sending else new_id().replace("-", "")
    body = wire.encode_problem(problem, request_id=new_id(), trace_id=trace_id)
    waiting_ms = problem.retry_after_ms
    return wire.error_for(op, wire.decode_problem(problem.status, body, retry_after_ms=waiting_ms))


@dataclass(frozen=True, slots=True)
class InMemoryTransport:
    """Carries questions to an authority in this process."""

    authority: InMemoryAuthority

    def send(self, op: Op[R]) -> R:
        """The answer, or its error raised."""
        return self.authority.send(op)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class AsyncInMemoryTransport:
    """The same for async clients; it never waits."""

    authority: InMemoryAuthority

    async def send(self, op: Op[R]) -> R:
        """The answer, or its error raised."""
        return self.authority.send(op)

    async def aclose(self) -> None:
        """Nothing is open."""
