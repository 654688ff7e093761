"""The clients: one line per question, sync and async.

What a method asks is built in `questions`, how often it is asked stands in `flows`; a client only
runs that in its own way.
"""

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self, TypeVar, Unpack

from runcycles import questions
from runcycles.config import CyclesConfig
from runcycles.connection import Connection
from runcycles.denials import decided
from runcycles.drivers import run, run_async
from runcycles.flows import Flow, ask, persist
from runcycles.guard import AsyncGuard, Guard
from runcycles.ids import new_id
from runcycles.ops import (
    BalancePage,
    Balances,
    Committed,
    Decide,
    Decision,
    Extended,
    ListReservations,
    Op,
    Recorded,
    Released,
    ReservationPage,
    ReservationView,
    Reserve,
)
from runcycles.questions import (
    BalanceFilter,
    Committing,
    Estimated,
    Guarding,
    Keyed,
    Recording,
    ReservationFilter,
    Reserving,
)
from runcycles.transports import LocalAuthority, Sending
from runcycles.types import Balance

R = TypeVar("R")


class BaseClient:
    """What both clients are made of: a connection, and how its questions are asked.

    Args:
        config: the settings, e.g. `CyclesConfig.from_env()`.
        authority: an authority inside this process, in place of the config's `base_url`.
    """

    def __init__(
        self, config: CyclesConfig | None = None, *, authority: LocalAuthority | None = None
    ) -> None:
        self.connection = Connection(config, authority)

    @property
    def config(self) -> CyclesConfig:
        """The settings."""
        return self.connection.config

    def _asked(self, op: Op[R]) -> Flow[R]:
        return ask(op, self.connection.retries)

    def _persisted(self, op: Op[R]) -> Flow[R]:
        return persist(op, self.connection.retries)

    def _decided(self, op: Reserve | Decide) -> Flow[Decision]:
        return decided(op, ask(op, self.connection.retries))


class CyclesClient(BaseClient):
    """Asks an authority, and blocks until it has answered. Safe to share between threads.

    Every method raises `CyclesTransportError` where no answer came, and the subclass of
    `CyclesProtocolError` that belongs to a refusal. Being denied is an answer.
    """

    def guard(self, **call: Unpack[Guarding]) -> Guard:
        """Reserve around a `with` block, and settle when it ends."""
        return Guard(self.connection, **call)

    def reserve(self, *, dry_run: bool = False, **asked: Unpack[Reserving]) -> Decision:
        """May this happen? Holds the estimate if so, unless `dry_run`."""
        return self._run(
            self._decided(questions.reserve(self.connection, dry_run=dry_run, **asked))
        )

    def decide(self, **asked: Unpack[Estimated]) -> Decision:
        """Would this be allowed now? Holds nothing."""
        return self._run(self._decided(questions.decide(self.connection, **asked)))

    def commit(self, reservation_id: str, **done: Unpack[Committing]) -> Committed:
        """The reserved action happened. Asked again until answered or out of retries."""
        return self._run(self._persisted(questions.commit(reservation_id, **done)))

    def release(
        self,
        reservation_id: str,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Released:
        """The reserved action did not happen."""
        op = questions.release(reservation_id, reason=reason, idempotency_key=idempotency_key)
        return self._run(self._asked(op))

    def extend(self, reservation_id: str, by_ms: int, **asked: Unpack[Keyed]) -> Extended:
        """The reserved action takes longer."""
        return self._run(self._asked(questions.extend(reservation_id, by_ms, **asked)))

    def record(self, **spent: Unpack[Recording]) -> Recorded:
        """Spend without a reservation. Asked again until answered or out of retries."""
        return self._run(self._persisted(questions.record(self.connection, **spent)))

    def balances(self, **wanted: Unpack[BalanceFilter]) -> BalancePage:
        """One page of balances; those of the tenant where no filter is given."""
        return self._run(self._asked(questions.balances(self.connection, **wanted)))

    def every_balance(self, **wanted: Unpack[BalanceFilter]) -> Iterator[Balance]:
        """All balances, page by page."""
        op: Balances | None = questions.balances(self.connection, **wanted)
        while op is not None:
            page = self._run(self._asked(op))
            yield from page.balances
            op = questions.next_page(op, page)

    def reservation(self, reservation_id: str) -> ReservationView:
        """One reservation. Raises `ReservationExpiredError` where it has expired."""
        return self._run(self._asked(questions.reservation(reservation_id)))

    def reservations(self, **wanted: Unpack[ReservationFilter]) -> ReservationPage:
        """One page of reservations, newest first."""
        return self._run(self._asked(ListReservations(**wanted)))

    def every_reservation(self, **wanted: Unpack[ReservationFilter]) -> Iterator[ReservationView]:
        """All reservations, page by page."""
        op: ListReservations | None = ListReservations(**wanted)
        while op is not None:
            page = self._run(self._asked(op))
            yield from page.reservations
            op = questions.next_page(op, page)

    def close(self) -> None:
        """Close the connections. What is still open expires by itself."""
        self.connection.close()

    async def aclose(self) -> None:
        """The same, on an event loop whose functions used this client too."""
        await self.connection.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, flow: Flow[R]) -> R:
        return run(flow, self.connection.transport, Sending(new_id()))


class AsyncCyclesClient(BaseClient):
    """The same for async code, on asyncio and trio, and on several event loops one after another.

    Its connections belong to the event loop that used them: close the client there.
    """

    def guard(self, **call: Unpack[Guarding]) -> AsyncGuard:
        """Reserve around an `async with` block, and settle when it ends."""
        return AsyncGuard(self.connection, **call)

    async def reserve(self, *, dry_run: bool = False, **asked: Unpack[Reserving]) -> Decision:
        """May this happen? Holds the estimate if so, unless `dry_run`."""
        op = questions.reserve(self.connection, dry_run=dry_run, **asked)
        return await self._run(self._decided(op))

    async def decide(self, **asked: Unpack[Estimated]) -> Decision:
        """Would this be allowed now? Holds nothing."""
        return await self._run(self._decided(questions.decide(self.connection, **asked)))

    async def commit(self, reservation_id: str, **done: Unpack[Committing]) -> Committed:
        """The reserved action happened. Asked again until answered or out of retries."""
        return await self._run(self._persisted(questions.commit(reservation_id, **done)))

    async def release(
        self,
        reservation_id: str,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Released:
        """The reserved action did not happen."""
        op = questions.release(reservation_id, reason=reason, idempotency_key=idempotency_key)
        return await self._run(self._asked(op))

    async def extend(self, reservation_id: str, by_ms: int, **asked: Unpack[Keyed]) -> Extended:
        """The reserved action takes longer."""
        return await self._run(self._asked(questions.extend(reservation_id, by_ms, **asked)))

    async def record(self, **spent: Unpack[Recording]) -> Recorded:
        """Spend without a reservation. Asked again until answered or out of retries."""
        return await self._run(self._persisted(questions.record(self.connection, **spent)))

    async def balances(self, **wanted: Unpack[BalanceFilter]) -> BalancePage:
        """One page of balances; those of the tenant where no filter is given."""
        return await self._run(self._asked(questions.balances(self.connection, **wanted)))

    async def every_balance(self, **wanted: Unpack[BalanceFilter]) -> AsyncIterator[Balance]:
        """All balances, page by page."""
        op: Balances | None = questions.balances(self.connection, **wanted)
        while op is not None:
            page = await self._run(self._asked(op))
            for balance in page.balances:
                yield balance
            op = questions.next_page(op, page)

    async def reservation(self, reservation_id: str) -> ReservationView:
        """One reservation. Raises `ReservationExpiredError` where it has expired."""
        return await self._run(self._asked(questions.reservation(reservation_id)))

    async def reservations(self, **wanted: Unpack[ReservationFilter]) -> ReservationPage:
        """One page of reservations, newest first."""
        return await self._run(self._asked(ListReservations(**wanted)))

    async def every_reservation(
        self, **wanted: Unpack[ReservationFilter]
    ) -> AsyncIterator[ReservationView]:
        """All reservations, page by page."""
        op: ListReservations | None = ListReservations(**wanted)
        while op is not None:
            page = await self._run(self._asked(op))
            for reservation in page.reservations:
                yield reservation
            op = questions.next_page(op, page)

    async def aclose(self) -> None:
        """Close the connections. What is still open expires by itself."""
        await self.connection.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(self, flow: Flow[R]) -> R:
        return await run_async(flow, self.connection.async_transport, Sending(new_id()))
