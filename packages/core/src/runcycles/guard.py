"""Reserve around a piece of code, and settle when it ends.

`BaseGuard` decides, as flows; `Guard` and `AsyncGuard` wait. Everything that protects a call,
`@cycles` and the framework adapters included, is one of these two.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable
from contextvars import Token
from threading import Lock
from types import TracebackType
from typing import Self, TypeVar, Unpack, assert_never

from runcycles import questions
from runcycles.connection import Connection
from runcycles.denials import as_error
from runcycles.drivers import finish, finish_async, run, run_async
from runcycles.errors import CyclesError, CyclesTransportError
from runcycles.flows import AMBIGUOUS, Flow, Timing, abandon, ask, commit_or_record, reported
from runcycles.heartbeat import Lease
from runcycles.measuring import INT32_MAX, Price, as_json
from runcycles.ops import Commit, Denied, Record, Release
from runcycles.settlement import (
    MARK,
    CommitThis,
    GiveBack,
    OnError,
    ended_by,
    settlement,
)
from runcycles.spend import Spend, enter, leave
from runcycles.streaming import settled, settled_async
from runcycles.types import Amount, Metadata, Usage
from runcycles.unheld import look, note, tell

logger = logging.getLogger("runcycles")
T = TypeVar("T")

UsageOf = Callable[[T], Usage | Amount | int | None]
"""What an item of a stream says was used; most items say nothing."""


class BaseGuard(Spend):
    """What a guard decides; `Guard` and `AsyncGuard` say how it is used."""

    __slots__ = (
        "_actual",
        "_connection",
        "_is_unheld",
        "_lease",
        "_on_error",
        "_opening",
        "_runs_unasked",
        "_timing",
        "_token",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        actual: Amount | int | Price | None = None,
        on_error: OnError | str | None = None,
        on_authority_down: questions.OnAuthorityDown = "stop",
        **asked: Unpack[questions.Reserving],
    ) -> None:
        reserve = questions.reserve(connection, dry_run=connection.is_shadow, **asked)
        super().__init__(reserve, actual if callable(actual) else None)
        self._connection = connection
        self._actual = (
            None
            if actual is None or callable(actual)
            else questions.amount_in(actual, reserve.estimate.unit)
        )
        self._on_error = (
            connection.config.on_error if on_error is None else questions.on_error_of(on_error)
        )
        self._runs_unasked = questions.runs_unasked(on_authority_down)
        self._opening = Lock()
        self._timing = Timing()
        self._lease: Lease | None = None
        self._is_unheld = False
        self._token: Token[Spend | None] | None = None

    def _open_flow(self) -> Flow[None]:
        if not self._opening.acquire(blocking=False):
            raise RuntimeError("a guard protects one call; make another for the next one")
        return self._look() if self._connection.is_shadow else self._hold()

    def _hold(self) -> Flow[None]:
        """Reserve, or raise."""
        self._timing.received = self._timing.clock()
        try:
            decision = yield from ask(self._reserve, self._connection.retries, self._timing)
        except AMBIGUOUS as problem:
            if not self._runs_unasked:
                raise
            logger.warning("%s runs although the authority is down: %s", self.action.name, problem)
            self._is_unheld = True
            return
        if decision.observed:
            self.decision, self._is_unheld = decision, True
            tell(self._reserve, decision, "observed")
            return
        if isinstance(decision, Denied):
            raise as_error(self._reserve, decision)
        if decision.reservation_id is None:
            raise CyclesTransportError("the authority said yes, but named no reservation")
        self.decision = decision
        self._lease = Lease(
            decision.reservation_id,
            ttl_ms=self._reserve.ttl_ms,
            remaining_ttl_ms=decision.remaining_ttl_ms,
            sent=self._timing.sent,
            received=self._timing.received,
            request_timeout=self._connection.request_timeout,
            key=self._reserve.idempotency_key,
        )
        self._connection.heartbeat.watch(self._lease)

    def _look(self) -> Flow[None]:
        """Shadow mode: the call runs whatever the answer is."""
        self._is_unheld = True
        self._timing.received = self._timing.clock()
        self.decision = yield from look(self._reserve, self._connection.retries)

    def _settle_flow(
        self, error: BaseException | None, on_error: OnError | str | None
    ) -> Flow[None] | None:
        """How the call is settled that this error left; None where there is nothing to settle."""
        wanted = self._on_error if on_error is None else questions.on_error_of(on_error)
        lease = self._lease
        if (lease is None and not self._is_unheld) or not self._settling.acquire(blocking=False):
            return None
        if lease is not None:
            self._connection.heartbeat.forget(lease)
        if error is None and self._actual is not None:
            actual = self._actual
            self.measure(lambda: actual)
        row = settlement(
            ended_by(error),
            self._meter.measured,
            estimate=self.estimate.amount,
            on_error=wanted,
        )
        match row:
            case CommitThis():
                flow = self._record(row) if lease is None else self._commit(row, lease)
                return flow if error is None else _beside(error, flow)
            case GiveBack():
                return None if lease is None else self._give_back(lease, error)
            case _:
                assert_never(row)

    def _commit(self, row: CommitThis, lease: Lease) -> Flow[None]:
        op = Commit(
            idempotency_key=self._reserve.idempotency_key,
            reservation_id=lease.reservation_id,
            actual=Amount(unit=self.estimate.unit, amount=row.amount),
            metrics=self._metrics(),
            metadata=self._marked(row),
        )
        retries = self._connection.retries
        yield from reported(commit_or_record(op, self._reserve, retries), op, self.result)

    def _record(self, row: CommitThis) -> Flow[None]:
        """Nothing is held, so the spend stands alone."""
        why = {"reserved": "authority_down"}
        if self.is_observed:
            why = {"mode": "shadow" if self._connection.is_shadow else "observe"}
        op = Record(
            idempotency_key=self._reserve.idempotency_key,
            subject=self.subject,
            action=self.action,
            actual=Amount(unit=self.estimate.unit, amount=row.amount),
            overage_policy=self._reserve.overage_policy,
            metrics=self._metrics(),
            metadata={**(self._reserve.metadata or {}), **(self._marked(row) or {}), **why},
        )
        return note(op, self._connection.retries)

    def _give_back(self, lease: Lease, error: BaseException | None) -> Flow[None]:
        op = Release(
            idempotency_key=self._reserve.idempotency_key,
            reservation_id=lease.reservation_id,
            reason=f"the call raised {type(error).__name__}"[:256],
        )
        try:
            yield from ask(op, self._connection.retries)
        except Exception as problem:  # noqa: BLE001 - the call's own exception matters more
            logger.warning(
                "reservation %s was not released, and holds its estimate until it expires: %s",
                op.reservation_id,
                problem,
            )

    def _take(self, used: Usage | Amount | int | None) -> None:
        if used is not None:
            self.record(used)

    def _may_hold(self, problem: BaseException) -> bool:
        """Whether a reserve was cut off, so that nobody knows what it holds.

        `GeneratorExit` ends a coroutine that nobody runs any more, so there is no asking either.
        """
        return not (isinstance(problem, Exception | GeneratorExit) or self._connection.is_shadow)

    def _abandon_flow(self) -> Flow[None]:
        try:
            yield from abandon(self._reserve)
        except Exception as problem:  # noqa: BLE001 - whatever cut us off matters more
            logger.warning(
                "what was reserved while it was cut off stays until it expires: %s", problem
            )

    def _metrics(self) -> Usage:
        """The recorded usage, and how long the call took where nobody said it."""
        usage = self._meter.usage
        timing = self._timing
        latency_ms = min(int((timing.clock() - timing.received) * 1_000), INT32_MAX)
        if usage is None:
            return Usage(latency_ms=latency_ms)
        return Usage(
            tokens_input=usage.tokens_input,
            tokens_output=usage.tokens_output,
            latency_ms=usage.latency_ms or latency_ms,
            model_version=usage.model_version,
            custom=None if usage.custom is None else as_json(usage.custom),
        )

    def _marked(self, row: CommitThis) -> Metadata | None:
        metadata = as_json(self.metadata) if self.metadata else {}
        return {**metadata, **MARK} if row.is_estimate else metadata or None


def _beside(error: BaseException, flow: Flow[None]) -> Flow[None]:
    """Settle while another exception is on its way: that one arrives, with ours as its note."""
    try:
        yield from flow
    except CyclesError as problem:
        logger.error("%s", problem)  # noqa: TRY400 - the traceback is that of the other exception
        error.add_note(f"Cycles: {problem}")


class Guard(BaseGuard):
    """`with client.guard(action=..., estimate=...) as spend:` around the code that spends.

    Where start and end are not one block, call `open` and `settle` instead.

    Raises on entering:
        DeniedError: the call must not run.
        CyclesTransportError: the authority could not be asked, so it must not run either.
    Raises on leaving, unless another exception leaves already:
        SettlementRefusedError, SpendNotRecordedError: see `runcycles.flows`.
    """

    __slots__ = ()

    def open(self) -> Self:
        """Reserve. Does not touch `current_reservation()`."""
        flow = self._open_flow()
        try:
            run(flow, self._connection.transport, self._sending)
        except BaseException as problem:
            if self._may_hold(problem):
                run(self._abandon_flow(), self._connection.transport, self._sending)
            raise
        return self

    def settle(
        self, error: BaseException | None = None, *, on_error: OnError | str | None = None
    ) -> None:
        """Commit or release, once. `error` is what left the call; `on_error` overrides ours."""
        flow = self._settle_flow(error, on_error)
        if flow is not None:
            finish(flow, self._connection.transport, self._sending)

    def stream(self, items: Iterable[T], usage_of: UsageOf[T]) -> Generator[T, None, None]:
        """Pass on the items of a stream, record what they say was used, and settle at its end.

        The guard is open already. A consumer that stops early, or a stream that fails, is settled
        like any call that ends so: with what was recorded, else by the table.
        """
        return settled(items, lambda item: self._take(usage_of(item)), self.settle)

    def __enter__(self) -> Self:
        self.open()
        self._token = enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            leave(self._token)
        self.settle(error)


class AsyncGuard(BaseGuard):
    """`async with client.guard(...) as spend:`; apart from waiting, it is a `Guard`.

    Settling is shielded from cancellation, for at most the config's `settle_timeout`.
    """

    __slots__ = ()

    async def open(self) -> Self:
        """Reserve. Does not touch `current_reservation()`."""
        flow = self._open_flow()
        try:
            await run_async(flow, self._connection.async_transport, self._sending)
        except BaseException as problem:
            if self._may_hold(problem):
                await self._finish(self._abandon_flow())
            raise
        return self

    async def settle(
        self, error: BaseException | None = None, *, on_error: OnError | str | None = None
    ) -> None:
        """Commit or release, once, however the task is cancelled meanwhile."""
        flow = self._settle_flow(error, on_error)
        if flow is not None:
            await self._finish(flow)

    def stream(self, items: AsyncIterable[T], usage_of: UsageOf[T]) -> AsyncGenerator[T, None]:
        """Pass on the items of a stream, and settle at its end: as `Guard.stream`."""
        return settled_async(items, lambda item: self._take(usage_of(item)), self.settle)

    async def _finish(self, flow: Flow[None]) -> None:
        await finish_async(
            flow,
            self._connection.async_transport,
            self._sending,
            within=self._connection.config.settle_timeout,
        )

    async def __aenter__(self) -> Self:
        await self.open()
        self._token = enter(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            leave(self._token)
        await self.settle(error)
