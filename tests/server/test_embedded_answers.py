"""An embedded answer is a value at once, and what its bytes say when it is asked for again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runcycles.ids import new_id
from runcycles.ops import (
    Commit,
    Committed,
    Decide,
    Denied,
    Extend,
    Op,
    Record,
    Release,
)
from runcycles.testing import FakeClock
from runcycles.types import OveragePolicy, Subject, tokens
from runcycles_server.embedded import EmbeddedAuthority
from tests.server.embedded_asks import ACTION, a_reserve, held

WRITER = Subject(tenant="acme", agent="writer")


@pytest.fixture(params=["memory", "file"])
def authority(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedAuthority]:
    store = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/budget.db"
    clock = FakeClock()
    found = EmbeddedAuthority(store=store, tenant="acme", budget="100tokens", clock_ms=clock.now_ms)
    found.set_budget("50tokens", agent="writer")
    yield found
    found.close()


def asked(op: type[Op[Any]], **fields: Any) -> Any:
    return op(idempotency_key=new_id(), **fields)  # type: ignore[call-arg]  # each op has a key


def nothing_but_ids(answer: Any) -> Any:
    """A denial names the request, and two requests are two."""
    return replace(answer, request_id=None, trace_id=None) if isinstance(answer, Denied) else answer


@pytest.mark.parametrize(
    "op",
    [
        a_reserve(10, subject=WRITER),
        a_reserve(10, subject=WRITER, dry_run=True),
        a_reserve(51, subject=WRITER, dry_run=True),
        asked(Decide, subject=WRITER, action=ACTION, estimate=tokens(10)),
        asked(Decide, subject=WRITER, action=ACTION, estimate=tokens(51)),
        asked(Record, subject=WRITER, action=ACTION, actual=tokens(10)),
        asked(
            Record,
            subject=WRITER,
            action=ACTION,
            actual=tokens(60),
            overage_policy=OveragePolicy.ALLOW_IF_AVAILABLE,
        ),
    ],
    ids=["held", "dry", "denied dry", "decided", "denied", "recorded", "capped"],
)
def test_a_question_has_one_answer(authority: EmbeddedAuthority, op: Op[Any]) -> None:
    first = authority.send(op)
    assert nothing_but_ids(authority.send(op)) == nothing_but_ids(first)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Commit, {"actual": tokens(4)}),
        (Commit, {"actual": tokens(12)}),
        (Release, {"reason": "not needed"}),
    ],
)
def test_a_settlement_has_one_answer(
    authority: EmbeddedAuthority, kind: type[Op[Any]], fields: dict[str, Any]
) -> None:
    op = asked(kind, reservation_id=held(authority), **fields)
    assert authority.send(op) == authority.send(op)


def test_a_longer_lease_has_one_answer(authority: EmbeddedAuthority) -> None:
    op = asked(Extend, reservation_id=held(authority), extend_by_ms=1_000)
    assert authority.send(op) == authority.send(op)


def test_what_changes_later_does_not_change_what_was_answered(
    authority: EmbeddedAuthority,
) -> None:
    op = asked(Commit, reservation_id=held(authority), actual=tokens(4))
    first = authority.send(op)
    assert isinstance(first, Committed)
    held(authority)
    assert authority.send(op) == first
    assert first.balances is not None
    assert [balance.remaining.amount for balance in first.balances] == [96]
