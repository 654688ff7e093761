"""A desk at which the ledger is asked directly: with a key's scope filter, and with a witness."""

from typing import Any

from runcycles.ids import new_id
from runcycles.ledger.apply import Request, Witness, plan
from runcycles.ledger.memory import DictStore
from runcycles.ledger.state import Account, Budget
from runcycles.ops import Commit, Decide, Extend, Held, Record, Release, Reserve, Subjected
from runcycles.testing import FakeClock
from runcycles.types import Action, Subject, Unit, tokens

ACTION = Action(kind="llm.completion", name="gpt-4o")
SUBJECT = Subject(tenant="acme", agent="bot")


class Desk:
    """A store with a budget of 100 for acme and one for beta."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = DictStore(self.clock.now_ms)
        for tenant in ("acme", "beta"):
            self.keep(
                Account(
                    tenant=tenant,
                    scope=f"tenant:{tenant}",
                    unit=Unit.TOKENS,
                    allocated=100,
                    budget=Budget(ledger_id=tenant, created_at_ms=0, updated_at_ms=0),
                )
            )

    def keep(self, *records: Any) -> None:
        self.store.records.update((record.key, record) for record in records)

    def ask(
        self,
        op: Subjected | Held,
        *,
        tenant: str = "acme",
        scope_filter: tuple[str, ...] | None = None,
        witness: Witness | None = None,
    ) -> Any:
        request: Request[Any] = Request(
            tenant=tenant,
            fingerprint=repr(op).encode(),
            encode=lambda _outcome: b"{}",
            fresh_id=f"fresh-{getattr(op, 'idempotency_key', '')}",
            scope_filter=scope_filter,
            witness=witness,
        )
        planned = plan(op, request)
        return self.store.transact(planned.footprint, planned.transition)

    def snapshot(self) -> dict[Any, Any]:
        """What is kept, apart from replies and what was looked up and absent."""
        return {
            key: record
            for key, record in self.store.records.items()
            if record is not None and key[0] != "reply"
        }


def a_reserve(amount: int = 10, **fields: Any) -> Reserve:
    given = {"idempotency_key": new_id(), "subject": SUBJECT, "action": ACTION, **fields}
    return Reserve(estimate=tokens(amount), **given)


def a_decide(amount: int = 10, **fields: Any) -> Decide:
    given = {"idempotency_key": new_id(), "subject": SUBJECT, "action": ACTION, **fields}
    return Decide(estimate=tokens(amount), **given)


def a_record(amount: int = 10, **fields: Any) -> Record:
    given = {"idempotency_key": new_id(), "subject": SUBJECT, "action": ACTION, **fields}
    return Record(actual=tokens(amount), **given)


def settlements(reservation_id: str) -> list[Held]:
    """Everything that can be done to a reservation."""
    return [
        Extend(reservation_id=reservation_id, idempotency_key="e", extend_by_ms=1),
        Commit(reservation_id=reservation_id, idempotency_key="c", actual=tokens(1)),
        Release(reservation_id=reservation_id, idempotency_key="r"),
    ]
