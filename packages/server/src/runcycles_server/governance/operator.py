"""What an operator does goes through here: a transition, audited, in a store.

The HTTP endpoints and the command line both come this way; the commands of each topic are in its
own package. Every refusal is raised as the protocol's error.
"""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any, TypeVar

from runcycles import wire
from runcycles.errors import CyclesProtocolError
from runcycles.ledger.state import Key, Need, Outcome, Snapshot
from runcycles.ops import Refused
from runcycles.wire.adapters import adapter
from runcycles_server.governance.audit.deeds import Actor, Deed, audited
from runcycles_server.governance.refusals import WrongState
from runcycles_server.stores.base import Store

T = TypeVar("T")


class Operator:
    """Changes what the ledger works with, and writes down who did it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def change(
        self,
        footprint: tuple[Key, ...],
        transition: Callable[[Snapshot], Outcome[T | Refused] | Need],
        *,
        deed: Deed,
        actor: Actor,
    ) -> T:
        """The reply of a transition that was kept together with its audit entry.

        Raises:
            CyclesProtocolError: it was refused, and nothing was changed.
        """
        return await self.carry_out(footprint, audited(transition, deed, actor))

    async def carry_out(
        self,
        footprint: tuple[Key, ...],
        transition: Callable[[Snapshot], Outcome[T | Refused] | Need],
    ) -> T:
        """The reply of a transition that writes its own audit entries.

        Raises:
            CyclesProtocolError: it was refused, and nothing was changed.
        """
        reply = await self.store.transact(footprint, transition)
        if isinstance(reply, Refused):
            raise error_of(reply)
        return reply


def encode(view: Any) -> bytes:
    """A view as the body of an answer: absent members are left out."""
    return adapter(type(view)).dump_json(view, exclude_none=True)


def error_of(refused: Refused) -> CyclesProtocolError:
    """A refusal as the error to raise."""
    problem = wire.problem_of(refused)
    if isinstance(refused, WrongState):
        problem = replace(problem, status=HTTPStatus.CONFLICT)
    return wire.error_for(None, problem)
