"""The authority: a question comes in, a transition runs in the store, an answer goes out.

An imperative shell with no rules of its own. HTTP and the embedded authority both ask here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Generic, SupportsBytes, TypeVar, cast

from runcycles import wire
from runcycles.ids import new_id
from runcycles.ledger.apply import Request, plan
from runcycles.ledger.idempotency import Answer, Answered, Replayed
from runcycles.ledger.rules import balance
from runcycles.ledger.state import Account, Outcome, frozen_record
from runcycles.ops import Denied, Held, Op, Refused, Release, Reserve, Subjected
from runcycles_server.decisions.witness import Asker, witness_of
from runcycles_server.governance.audit.releases import audited_release
from runcycles_server.reads import Read, read
from runcycles_server.stores.base import Store

R = TypeVar("R")


@frozen_record(kw_only=False)
class Reply(Generic[R]):
    """The bytes of an answer.

    `value` is its typed form: absent where the answer was remembered, and without the balances,
    which are written straight into the bytes. `observed` answers hold nothing and stop nothing.
    """

    raw: bytes
    value: R | None = None
    observed: bool = False


@dataclass(frozen=True, slots=True)
class Unwritten(Generic[R]):
    """An answer whose bytes are written when somebody needs them: a disk, or who asks again."""

    op: Op[R]
    reply: Any
    shown: tuple[Account, ...] | None

    def __bytes__(self) -> bytes:
        return wire.encode_reply(type(self.op), self.reply, shown=self.shown, extended=True)

    def read(self) -> R:
        """The answer that whoever read the bytes would have."""
        if isinstance(self.reply, Denied):  # it knows more than it tells
            return wire.decode_reply(self.op, HTTPStatus.OK, bytes(self))
        read = self.reply
        if self.shown is not None:
            read = replace(read, balances=tuple(map(balance, self.shown)))
        return cast("R", read)


class Authority:
    """Decides for every tenant of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def ask(
        self,
        op: Subjected | Held,
        *,
        tenant: str | None,
        scope_filter: tuple[str, ...] = (),
        extended: bool = False,
        fingerprint: bytes | None = None,
        asker: Asker | None = None,
    ) -> Reply[Any]:
        """The answer to a question that goes through the ledger, durable when it returns.

        `tenant` is the caller's; None is an operator. `scope_filter` is that of the caller's key.
        `extended` callers get `deny_detail`, and so do questions that speak the extension. Whoever
        read the question from bytes has its fingerprint already. Where there is an `asker`,
        decisions are kept so that they can be explained, and what an operator does is audited.

        Raises:
            CyclesProtocolError: the ledger's refusal.
        """
        op_type, detailed = type(op), extended or wire.speaks_extension(op)
        answer = await self._answer(
            op,
            tenant,
            wire.fingerprint(op) if fingerprint is None else fingerprint,
            lambda outcome: wire.encode_reply(
                op_type, outcome.reply, shown=outcome.shown, extended=detailed
            ),
            scope_filter=scope_filter,
            asker=asker,
        )
        match answer:
            case Answered(value):
                holds = getattr(value, "reservation_id", None) is not None
                return Reply(answer.raw, value, observed=_is_live(op) and not holds)
            case Replayed(raw, remaining_ttl_ms):
                body = wire.with_remaining_ttl(raw, remaining_ttl_ms)
                return Reply(body, observed=_is_live(op) and remaining_ttl_ms is None)
            case Refused():
                raise wire.error_for(op, wire.problem_of(answer))

    async def ask_here(self, op: Subjected | Held, *, tenant: str, fingerprint: bytes) -> Any:
        """`ask` for callers in this process: the answer that they would read in its bytes.

        Raises:
            CyclesProtocolError: the ledger's refusal.
        """
        asked: Op[Any] = op
        answer = await self._answer(
            op, tenant, fingerprint, lambda outcome: Unwritten(asked, outcome.reply, outcome.shown)
        )
        match answer:
            case Answered(_, reply):
                assert isinstance(reply, Unwritten)
                return reply.read()
            case Replayed(raw, remaining_ttl_ms):
                body = wire.with_remaining_ttl(raw, remaining_ttl_ms)
                return wire.decode_reply(asked, HTTPStatus.OK, body)
            case Refused():
                raise wire.error_for(op, wire.problem_of(answer))

    async def _answer(
        self,
        op: Subjected | Held,
        tenant: str | None,
        fingerprint: bytes,
        encode: Callable[[Outcome[Any]], SupportsBytes],
        *,
        scope_filter: tuple[str, ...] = (),
        asker: Asker | None = None,
    ) -> Answer[Any]:
        fresh_id, witness = new_id(), None
        if tenant is not None and asker is not None:
            witness = witness_of(tenant, fresh_id, asker)
        request: Request[Any] = Request(
            tenant=tenant,
            fingerprint=fingerprint,
            encode=encode,
            scope_filter=scope_filter,
            fresh_id=fresh_id,
            witness=witness,
        )
        planned = plan(op, request)
        transition = planned.transition
        if tenant is None and asker is not None and isinstance(op, Release):
            transition = audited_release(transition, op, asker.actor())
        return await self.store.transact(planned.footprint, transition)

    async def read(
        self, op: Read, *, tenant: str | None, scope_filter: tuple[str, ...] = ()
    ) -> Reply[Any]:
        """The answer to a question that changes nothing.

        Raises:
            CyclesProtocolError: naming the parameter, or why this caller may not see it.
        """
        value = await read(self.store, op, tenant, scope_filter)
        return Reply(wire.encode_reply(type(op), value), value)


def _is_live(op: Subjected | Held) -> bool:
    """Whether it is a question whose answer would hold something, if nobody only observed."""
    return isinstance(op, Reserve) and not op.dry_run
