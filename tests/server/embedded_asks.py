"""What the tests of the embedded authority ask it."""

from typing import Any

from runcycles.ids import new_id
from runcycles.ops import Allowed, Balances, Reserve
from runcycles.types import Action, Subject, tokens
from runcycles_server.embedded import EmbeddedAuthority

ACTION = Action(kind="llm.completion", name="gpt-4o")


def a_reserve(amount: int = 10, key: str | None = None, **fields: Any) -> Reserve:
    return Reserve(
        idempotency_key=key or new_id(),
        subject=fields.pop("subject", Subject(tenant="acme")),
        action=ACTION,
        estimate=tokens(amount),
        **fields,
    )


def remaining(authority: EmbeddedAuthority) -> int:
    (balance,) = authority.send(Balances(tenant="acme")).balances
    return balance.remaining.amount


def held(authority: EmbeddedAuthority, amount: int = 10) -> str:
    answer = authority.send(a_reserve(amount))
    assert isinstance(answer, Allowed)
    return str(answer.reservation_id)
