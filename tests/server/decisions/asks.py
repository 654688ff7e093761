"""Questions whose decisions are kept, asked of a store directly."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from runcycles.errors import CyclesProtocolError
from runcycles.ids import new_id
from runcycles.ops import Decide, Held, Reserve, Subjected
from runcycles.types import Action, Amount, Subject, Unit
from runcycles_server.authority import Authority
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.records import AuditEntry, DecisionRecord
from runcycles_server.stores.queries import AuditQuery
from runcycles_server.stores.suite import Bench
from runcycles_server.stores.suite.bench import ACTION, SUBJECT, TENANT

_numbers = count()


@dataclass(frozen=True)
class Caller:
    """Somebody who asks once, under a request id and a trace of their own."""

    request_id: str
    trace_id: str = "t" * 32

    def actor(self) -> Actor:
        return Actor(
            tenant=TENANT, key_id="key_1", request_id=self.request_id, trace_id=self.trace_id
        )


def a_reserve(amount: int = 10, **fields: Any) -> Reserve:
    return Reserve(**_question(amount, fields))


def a_decide(amount: int = 10, **fields: Any) -> Decide:
    return Decide(**_question(amount, fields))


def _question(amount: int, fields: dict[str, Any]) -> dict[str, Any]:
    given = {"idempotency_key": new_id(), "subject": SUBJECT, "action": ACTION}
    return {**given, "estimate": Amount(unit=Unit.TOKENS, amount=amount), **fields}


class Asking:
    """Asks over a bench, and reads what was kept of the answers."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.authority = Authority(bench.store)

    async def ask(self, op: Subjected | Held, request_id: str | None = None) -> Any:
        """The answer's value, or the error that it is; None is a replay."""
        caller = Caller(request_id or f"request-{next(_numbers)}")
        try:
            return (await self.authority.ask(op, tenant=TENANT, asker=caller)).value
        except CyclesProtocolError as refused:
            return refused

    async def kept(self, wanted: str) -> list[DecisionRecord]:
        """What is kept under an id, the newest first."""
        return await self.bench.store.decisions(wanted)

    async def only(self, wanted: str) -> DecisionRecord:
        """The only record under an id."""
        found = await self.kept(wanted)
        assert len(found) == 1, found
        return found[0]

    async def audited(self) -> list[AuditEntry]:
        """The audit log, the oldest first."""
        return await self.bench.store.audit(AuditQuery(descending=False, limit=1_000))


def named(name: str) -> Action:
    return Action(kind=ACTION.kind, name=name)


def agent(name: str) -> Subject:
    return Subject(tenant=TENANT, agent=name)
