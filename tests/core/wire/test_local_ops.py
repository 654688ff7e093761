"""An op that never leaves its process is read as strictly as one that was sent."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcycles import wire
from runcycles.errors import InvalidRequestError
from runcycles.ops import Balances, Commit, Op, Reserve
from runcycles.types import Action, Amount, Subject, Unit, Usage, tokens
from tests.core.wire.samples import WRITES

RESERVE = Reserve(
    idempotency_key="k",
    subject=Subject(tenant="acme"),
    action=Action(kind="llm.completion", name="gpt-4o"),
    estimate=tokens(10),
)
COMMIT = Commit(reservation_id="r", idempotency_key="k", actual=tokens(1))


def sent(op: Op[Any]) -> Any:
    """What comes out at the other end of a wire."""
    return wire.read_body(type(op), wire.encode_body(op) or b"", getattr(op, "reservation_id", ""))


@pytest.mark.parametrize("op_type", WRITES)
@given(data=st.data())
def test_what_is_read_is_what_would_have_arrived(
    op_type: type[Op[Any]], data: st.DataObject
) -> None:
    op = data.draw(WRITES[op_type])
    assert wire.read_op(op) == sent(op)


def test_values_become_those_that_would_have_arrived() -> None:
    unit: Any = "TOKENS"
    metadata: Any = {1: (2, 3.0)}
    op = replace(RESERVE, estimate=Amount(unit=unit, amount=1), metadata=metadata)
    read, fingerprint = wire.read_op(op)
    assert read.estimate.unit is Unit.TOKENS
    assert read.metadata == {"1": [2, 3.0]}
    assert (read, fingerprint) == sent(op)


WRONG: dict[str, Op[Any]] = {
    "a number as text": replace(COMMIT, actual=Amount(unit=Unit.TOKENS, amount="1")),  # type: ignore[arg-type]  # the point
    "a number below zero": replace(COMMIT, actual=tokens(-1)),
    "a number above 64 bits": replace(RESERVE, estimate=tokens(2**63)),
    "an unknown unit": replace(RESERVE, estimate=Amount(unit="YEN", amount=1)),  # type: ignore[arg-type]  # the point
    "a key of no length": replace(RESERVE, idempotency_key=""),
    "a blank kind": replace(RESERVE, action=Action(kind=" ", name="gpt-4o")),
    "nobody": replace(RESERVE, subject=Subject()),
    "a tenant with a space": replace(RESERVE, subject=Subject(tenant="a b")),
    "a dimension in capitals": replace(
        RESERVE, subject=Subject(tenant="acme", dimensions={"Run": "1"})
    ),
    "a key twice": replace(RESERVE, metadata={1: "a", "1": "b"}),  # type: ignore[dict-item]  # the point
    "an id that is too long": replace(COMMIT, reservation_id="r" * 129),
    "tokens above 32 bits": replace(COMMIT, metrics=Usage(tokens_input=2**31)),
    "no form in JSON": replace(COMMIT, metadata={"a": object()}),
}


@pytest.mark.parametrize("op", WRONG.values(), ids=WRONG)
def test_what_would_have_been_refused_is_refused_alike(op: Op[Any]) -> None:
    refusals = []
    for read in (wire.read_op, sent):
        with pytest.raises(InvalidRequestError) as refusal:
            read(op)
        refusals.append(refusal.value.problem)
    assert refusals[0] == refusals[1]


def test_an_op_without_a_body_is_asked_for_by_its_query() -> None:
    with pytest.raises(TypeError, match="Balances has no body"):
        wire.read_op(Balances())
