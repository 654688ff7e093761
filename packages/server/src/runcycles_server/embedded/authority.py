"""An authority for one tenant, in the caller's own process, and the transports that ask it.

Everything passes through the wire's own encoding, so a program that asks a server later meets
nothing new.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, TypeVar, cast

from runcycles import wire
from runcycles.errors import (
    ConfigurationError,
    CyclesProtocolError,
    ErrorCode,
    Problem,
    StoreError,
)
from runcycles.ids import new_id
from runcycles.ledger.state import (
    Account,
    Budget,
    Outcome,
    Snapshot,
    Tenant,
    TenantProfile,
    account_key,
    tenant_key,
)
from runcycles.ops import Denied, GetReservation, Op
from runcycles.scopes import lineage
from runcycles.transports import SENDING
from runcycles.types import Amount, Subject
from runcycles_server.amounts import parse_amount
from runcycles_server.embedded.engine import ENGINES, Engine, name_of
from runcycles_server.governance.scopes import canonical_scope
from runcycles_server.reads import Read
from runcycles_server.stores.opening import MEMORY, wall_clock_ms

R = TypeVar("R")

DEFAULT_TENANT = "demo"


class EmbeddedAuthority:
    """Budgets and permissions without a server: `EmbeddedAuthority(budget="5usd")`.

    `store` is `memory:` or a file (`sqlite:///budget.db`) that one process at a time may use.
    `budget` is what the tenant may spend altogether; a file remembers what was spent, and naming
    another amount later changes the allocation. A memory store is private, unless `name` is given:
    then it is shared by all that name it. May be used from any thread and any event loop.

    Raises:
        ConfigurationError: the store, the tenant or the budget is not one.
        StoreError: the file cannot be used; the sentence says why.
    """

    def __init__(
        self,
        *,
        store: str = MEMORY,
        tenant: str = DEFAULT_TENANT,
        budget: str | Amount | None = None,
        name: str | None = None,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._tenant = tenant
        _canonical(Subject(tenant=tenant))
        amount = parse_amount(budget) if isinstance(budget, str) else budget
        self._name = name if store == MEMORY else name_of(store)
        if self._name is None:
            self._engine = Engine(store, clock_ms)
        else:
            self._engine = ENGINES.enter(store, self._name, clock_ms)
        self._is_open = True
        if amount is not None:
            self.set_budget(amount)

    @property
    def tenant(self) -> str:
        """The tenant that spends where nothing else is said."""
        return self._tenant

    def transport(self) -> "EmbeddedTransport":
        """What a sync client sends its questions through."""
        return EmbeddedTransport(self)

    def async_transport(self) -> "AsyncEmbeddedTransport":
        """What an async client sends its questions through."""
        return AsyncEmbeddedTransport(self)

    def set_budget(
        self,
        amount: str | Amount,
        *,
        workspace: str | None = None,
        app: str | None = None,
        workflow: str | None = None,
        agent: str | None = None,
        toolset: str | None = None,
    ) -> None:
        """Allocate an amount to the tenant, or to a scope of it: `set_budget("1usd", agent="bot")`.

        What was spent stays spent; the amount is the whole allocation, not an addition.

        Raises:
            ConfigurationError: the amount or a level is not one.
            StoreError: it could not be kept.
        """
        subject = Subject(
            tenant=self._tenant,
            workspace=workspace,
            app=app,
            workflow=workflow,
            agent=agent,
            toolset=toolset,
        )
        scope = _canonical(subject)
        wanted = parse_amount(amount) if isinstance(amount, str) else amount
        key = account_key(self._tenant, scope, wanted.unit)
        ledger_id = new_id()

        def transition(snapshot: Snapshot) -> Outcome[None]:
            owner = snapshot.tenant(self._tenant) or _tenant(self._tenant, snapshot.now_ms)
            account = snapshot.account(key)
            if account is None:
                account = _account(self._tenant, scope, wanted, ledger_id, snapshot.now_ms)
            elif account.allocated != wanted.amount:
                budget = replace(account.budget, updated_at_ms=snapshot.now_ms)
                account = replace(account, allocated=wanted.amount, budget=budget)
            else:
                return Outcome(None)
            return Outcome(None, (owner, account))

        self._engine.run(self._engine.store.transact((tenant_key(self._tenant), key), transition))

    def close(self) -> None:
        """Let go of the store; closing twice is fine, and the end of the process does it too."""
        if self._is_open:
            self._is_open = False
            if self._name is None:
                self._engine.close()
            else:
                ENGINES.leave(self._name)

    def send(self, op: Op[R]) -> R:
        """The answer to a question, from a thread that may wait."""
        return self._engine.run(self._answer(op))

    async def send_async(self, op: Op[R]) -> R:
        """The answer to a question, on any event loop."""
        return await self._engine.run_async(self._answer(op))

    async def _answer(self, op: Op[R]) -> R:
        try:
            await self._engine.sweep_if_due()
            answer = await self._ask(op)
        except CyclesProtocolError as error:
            request_id, trace_id = _ids()
            body = wire.encode_problem(error.problem, request_id=request_id, trace_id=trace_id)
            problem = wire.decode_problem(error.status, body, retry_after_ms=error.retry_after_ms)
            raise wire.error_for(op, problem) from None
        except StoreError as error:
            request_id, trace_id = _ids()
            problem = Problem(
                status=500,
                error_code=ErrorCode.INTERNAL_ERROR,
                message=str(error),
                request_id=request_id,
                trace_id=trace_id,
            )
            raise wire.error_for(op, problem) from error
        if isinstance(answer, Denied):
            request_id, trace_id = _ids()
            answer = replace(answer, request_id=request_id, trace_id=trace_id)
        return wire.as_observed(op, cast("R", answer))

    async def _ask(self, op: Op[Any]) -> Any:
        """The answer; the question is read as if it had come over the wire."""
        authority = self._engine.authority
        if isinstance(op, Read):
            path = {"reservation_id": op.reservation_id} if isinstance(op, GetReservation) else {}
            read = wire.parse_query(type(op), wire.query_of(op), **path)
            raw = (await authority.read(read, tenant=self._tenant)).raw
            return wire.decode_reply(cast("Op[Any]", op), HTTPStatus.OK, raw)
        asked: tuple[Any, bytes] = wire.read_op(op)
        return await authority.ask_here(asked[0], tenant=self._tenant, fingerprint=asked[1])


def _ids() -> tuple[str, str]:
    """The request id of an answer that tells it, and the trace of its flow."""
    sending, request_id = SENDING.get(), new_id()
    return request_id, sending.trace_id if sending else request_id.replace("-", "")


def _canonical(subject: Subject) -> str:
    """The deepest scope of a subject, as budgets are stored."""
    if not subject.tenant:
        raise ConfigurationError("an authority needs a tenant, e.g. tenant=demo")
    try:
        return canonical_scope(lineage(subject)[-1])
    except CyclesProtocolError as problem:
        raise ConfigurationError(str(problem)) from None


def _tenant(tenant: str, now_ms: int) -> Tenant:
    return Tenant(tenant_id=tenant, profile=TenantProfile(name=tenant, created_at_ms=now_ms))


def _account(tenant: str, scope: str, amount: Amount, ledger_id: str, now_ms: int) -> Account:
    return Account(
        tenant=tenant,
        scope=scope,
        unit=amount.unit,
        allocated=amount.amount,
        budget=Budget(ledger_id=ledger_id, created_at_ms=now_ms, updated_at_ms=now_ms),
    )


@dataclass(frozen=True, slots=True)
class EmbeddedTransport:
    """Carries questions to an authority in this process."""

    authority: EmbeddedAuthority

    def send(self, op: Op[R]) -> R:
        """The answer, or its error raised."""
        return self.authority.send(op)

    def close(self) -> None:
        """The authority stays open: other clients may be asking it."""


@dataclass(frozen=True, slots=True)
class AsyncEmbeddedTransport:
    """The same for async clients, on any event loop."""

    authority: EmbeddedAuthority

    async def send(self, op: Op[R]) -> R:
        """The answer, or its error raised."""
        return await self.authority.send_async(op)

    async def aclose(self) -> None:
        """The authority stays open: other clients may be asking it."""
