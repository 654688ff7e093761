"""The authority: a question comes in, a transition runs in the store, an answer goes out.

An imperative shell with no rules of its own. HTTP and the embedded authority both ask here.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from runcycles import wire
from runcycles.ids import new_id
from runcycles.ledger.apply import Request, plan
from runcycles.ledger.idempotency import Answered, Replayed
from runcycles.ops import Held, Refused, Subjected
from runcycles_server.reads import Read, read
from runcycles_server.stores.base import Store

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Reply(Generic[R]):
    """The bytes of an answer.

    `value` is its typed form: absent where the answer was remembered, and without the balances,
    which are written straight into the bytes.
    """

    raw: bytes
    value: R | None = None


class Authority:
    """Decides for every tenant of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def ask(
        self,
        op: Subjected | Held,
        *,
        tenant: str | None,
        extended: bool = False,
        fingerprint: bytes | None = None,
    ) -> Reply[Any]:
        """The answer to a question that goes through the ledger, durable when it returns.

        `tenant` is the caller's; None is an operator. `extended` callers get `deny_detail`. Whoever
        read the question from bytes has its fingerprint already.

        Raises:
            CyclesProtocolError: the ledger's refusal.
        """
        op_type = type(op)
        request: Request[Any] = Request(
            tenant=tenant,
            fingerprint=wire.fingerprint(op) if fingerprint is None else fingerprint,
            encode=lambda outcome: wire.encode_reply(
                op_type, outcome.reply, shown=outcome.shown, extended=extended
            ),
            fresh_id=new_id(),
        )
        planned = plan(op, request)
        answer = await self.store.transact(planned.footprint, planned.transition)
        match answer:
            case Answered(value, raw):
                return Reply(raw, value)
            case Replayed(raw, remaining_ttl_ms):
                return Reply(wire.with_remaining_ttl(raw, remaining_ttl_ms))
            case Refused():
                raise wire.error_for(op, wire.problem_of(answer))

    async def read(self, op: Read, *, tenant: str | None) -> Reply[Any]:
        """The answer to a question that changes nothing.

        Raises:
            CyclesProtocolError: naming the parameter, or why this caller may not see it.
        """
        value = await read(self.store, op, tenant)
        return Reply(wire.encode_reply(type(op), value), value)
