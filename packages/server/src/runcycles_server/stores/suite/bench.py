"""What a check works with: a store, its clock, and records to put into it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from runcycles import wire
from runcycles.ids import new_id
from runcycles.ledger.apply import Request, plan
from runcycles.ledger.idempotency import Answered, Replayed
from runcycles.ledger.state import (
    Account,
    Budget,
    Outcome,
    Record,
    Reservation,
    Snapshot,
    account_key,
)
from runcycles.ops import Commit, Held, Refused, Release, Reserve, Subjected
from runcycles.types import (
    Action,
    Amount,
    OveragePolicy,
    ReservationStatus,
    Subject,
    Unit,
    tokens,
)
from runcycles_server.stores.base import Store

T = TypeVar("T")

NOON_MS: Final = 1_900_000_000_000
TENANT: Final = "acme"
SCOPE: Final = "tenant:acme"
SUBJECT: Final = Subject(tenant=TENANT)
ACTION: Final = Action(kind="llm.completion", name="gpt-4o")
ACCOUNT: Final = account_key(TENANT, SCOPE, Unit.TOKENS)


class Clock:
    """A clock that stands where it is put, even in the past."""

    def __init__(self) -> None:
        self.ms = NOON_MS

    def now_ms(self) -> int:
        """This moment, in epoch ms."""
        return self.ms


@dataclass(slots=True)
class Bench:
    """An open, empty store on a clock of ours.

    `reopen` closes the store and opens what it left behind, as after a restart; None says that
    this store promises nothing beyond the life of the process.
    """

    store: Store
    clock: Clock
    reopen: Callable[[], Awaitable[Store]] | None = None

    async def keep(self, *records: Record) -> None:
        """Keep records as they are."""
        footprint = tuple(record.key for record in records)
        await self.store.transact(footprint, lambda _snapshot: Outcome(None, records))

    async def open_budget(self, allocated: int) -> None:
        """A budget for the tenant of the checks."""
        await self.keep(an_account(allocated=allocated))

    async def budget(self) -> Account:
        """That budget as it is now."""
        found = await self.store.get(ACCOUNT)
        assert isinstance(found, Account), found
        return found

    async def ask(self, op: Subjected | Held) -> Answered[Any] | Replayed:
        """What the ledger answers over this store; a refusal is raised."""
        op_type = type(op)
        request: Request[Any] = Request(
            tenant=TENANT,
            fingerprint=wire.fingerprint(op),
            encode=lambda outcome: wire.encode_reply(op_type, outcome.reply, shown=outcome.shown),
            fresh_id=new_id(),
        )
        planned = plan(op, request)
        answer = await self.store.transact(planned.footprint, planned.transition)
        if isinstance(answer, Refused):
            raise wire.error_for(op, wire.problem_of(answer))
        return answer

    async def reserve(self, amount: int, *, key: str | None = None) -> Answered[Any] | Replayed:
        """Ask for tokens."""
        return await self.ask(a_reserve(amount, key=key))

    async def hold(self, amount: int, *, key: str | None = None) -> str:
        """The id of a new reservation."""
        answer = await self.reserve(amount, key=key)
        return str(json.loads(answer.raw)["reservation_id"])

    async def commit(self, reservation_id: str, actual: int) -> Answered[Any] | Replayed:
        """Settle a reservation."""
        key = new_id()
        return await self.ask(
            Commit(idempotency_key=key, reservation_id=reservation_id, actual=tokens(actual))
        )

    async def release(self, reservation_id: str) -> Answered[Any] | Replayed:
        """Give a reservation back."""
        return await self.ask(Release(idempotency_key=new_id(), reservation_id=reservation_id))


Check = Callable[[Bench], Awaitable[None]]


async def together(*asked: Awaitable[T]) -> list[T | BaseException]:
    """What came of questions that were asked at the same time, errors included."""
    return await asyncio.gather(*asked, return_exceptions=True)


def a_reserve(amount: int, *, key: str | None = None) -> Reserve:
    """A question for some tokens."""
    return Reserve(
        idempotency_key=key or new_id(), subject=SUBJECT, action=ACTION, estimate=tokens(amount)
    )


def an_account(**fields: Any) -> Account:
    """An account of the checks' tenant."""
    budget = Budget(ledger_id="ledger-1", created_at_ms=NOON_MS, updated_at_ms=NOON_MS)
    given = {"allocated": 0, "budget": budget, **fields}
    return Account(**{"tenant": TENANT, "scope": SCOPE, "unit": Unit.TOKENS, **given})


def a_reservation(reservation_id: str, **fields: Any) -> Reservation:
    """A reservation of the checks' tenant that runs for a minute."""
    row = Reservation(
        reservation_id=reservation_id,
        tenant=TENANT,
        status=ReservationStatus.ACTIVE,
        subject=SUBJECT,
        action=ACTION,
        estimate=Amount(unit=Unit.TOKENS, amount=10),
        affected_scopes=(SCOPE,),
        budgeted_scopes=(SCOPE,),
        overage_policy=OveragePolicy.REJECT,
        idempotency_key=f"key of {reservation_id}",
        created_at_ms=NOON_MS,
        expires_at_ms=NOON_MS + 60_000,
        grace_ms=5_000,
        max_extensions=10,
    )
    return replace(row, **fields)


def added(amount: int) -> Callable[[Snapshot], Outcome[int]]:
    """A transition that spends from the checks' budget, and answers what was spent altogether."""

    def transition(snapshot: Snapshot) -> Outcome[int]:
        account = snapshot.account(ACCOUNT)
        assert account is not None
        after = account.moved(spent=amount)
        return Outcome(after.spent, (after,))

    return transition
