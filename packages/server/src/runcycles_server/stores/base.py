"""What a store promises. The ledger's rules trust every sentence here.

A store keeps records under keys and runs transitions; it knows no rule about money.

**Atomic.** `transact` runs one transition on one consistent snapshot and keeps all of its
changes or none. Two transitions never see each other half done.

**Durable before the answer.** `transact` returns only when the changes would survive a crash of
the process and of the machine. (`memory:` promises nothing beyond the life of the process.)

**Pure transitions.** A store may call a transition several times, on fresh snapshots, and keeps
only the last outcome. When a transition answers `Need`, the store loads those keys into the
same snapshot and calls again, at most `MAX_NEEDS` times.

**A refusal may have changes.** What a transition answers is nobody's business here: whatever its
outcome wants changed is kept, be the answer a yes or a no.

**Audit entries never change.** Keeping one whose key is there already does nothing.

**A transition that raises fails alone.** Its changes are dropped, whoever shares its batch is not
touched, and the exception reaches its caller.

**A commit that fails, fails everyone in it.** Nothing of the batch is kept, each caller gets a
`StoreError`, and repeating the request with its key is safe. After an error while syncing to
disk the store refuses all writes until it is opened again: what the disk holds is then unknown.

**One clock.** `now_ms` never goes back within a process, and after a restart it is not before the
last change that was kept, however the machine's clock was set; it is the only time a rule knows.

Driver exceptions never leave a store; they become `StoreError` and its kinds.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from runcycles.ledger.policies import Counter, DeclaredKind, PolicyBook
from runcycles.ledger.state import Account, Key, Reservation, Tenant, Transition
from runcycles.types import Unit
from runcycles_server.records import ApiKey, AuditEntry, DecisionRecord
from runcycles_server.stores.queries import AuditQuery, CounterQuery, ReservationQuery

T = TypeVar("T")

OnCommit = Callable[[int, float], None]
"""Hears how many requests were committed together, and how many seconds that took."""


class Store(Protocol):
    """Keeps records; the module's text is the contract."""

    async def start(self) -> None:
        """Open what must be open, in the event loop that will use it.

        Raises:
            StoreError: with a sentence that says what to do; nothing was changed.
        """
        ...

    async def close(self) -> None:
        """Finish what waits and let go of everything; later calls raise `StoreError`."""
        ...

    def now_ms(self) -> int:
        """This moment, in epoch ms."""
        ...

    async def transact(self, footprint: tuple[Key, ...], transition: Transition[T]) -> T:
        """Run the transition on a snapshot of at least its footprint and keep its outcome."""
        ...

    async def get(self, key: Key) -> Any:
        """The record under a key, or None."""
        ...

    async def accounts(
        self, tenant: str | None, segments: Mapping[str, str] | None = None
    ) -> list[Account]:
        """The accounts of a tenant (None: of all) whose scope holds all segments, by scope."""
        ...

    async def tenants(self) -> list[Tenant]:
        """Every tenant, by id."""
        ...

    async def api_keys(self, tenant: str | None) -> list[ApiKey]:
        """The API keys of a tenant (None: of all), by id."""
        ...

    async def policy_books(self, tenant: str | None) -> list[PolicyBook]:
        """The policies of a tenant, if it has any (None: of all), by tenant."""
        ...

    async def declared_kinds(self) -> list[DeclaredKind]:
        """Every kind of action that the operator declared, by its name."""
        ...

    async def counters(self, query: CounterQuery) -> list[Counter]:
        """At most `limit` counters that match and are live now, by their place."""
        ...

    async def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """At most `limit` audit entries that match, in the order asked for."""
        ...

    async def decisions(
        self, wanted: str, *, tenant: str | None = None, limit: int = 20
    ) -> list[DecisionRecord]:
        """At most `limit` decisions that an id concerns, of one tenant or of all, newest first.

        The id may be that of the decision, its reservation, one of its requests, its trace or its
        idempotency key. A store may have to look through all that it keeps, and then does so piece
        by piece, so that other lists are not held up.

        Raises:
            StoreOverloadedError: the store looks through them for somebody else already.
        """
        ...

    async def reservations(self, query: ReservationQuery) -> list[Reservation]:
        """At most `limit` reservations that match, in the order asked for."""
        ...

    async def due(self, limit: int) -> list[str]:
        """Ids of ACTIVE reservations whose grace is over, the longest overdue first."""
        ...

    async def held(self) -> dict[Unit, int]:
        """What the outermost budgets that hold anything hold, by unit; no hold counts twice."""
        ...

    def waiting(self) -> dict[str, int]:
        """How many wait now, by the name of what they wait for."""
        ...

    async def purge(self, limit: int) -> int:
        """Forget up to `limit` records whose retention is over; how many were forgotten.

        Replies and counters go at their own time; finished reservations, audit entries and
        decisions as `stores.retention` says.
        """
        ...

    async def check(self) -> None:
        """Raise `StoreError` if the store cannot take writes now (asked by `/readyz`)."""
        ...
