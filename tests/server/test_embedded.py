"""The authority inside the caller's process: one line to start, no key, the same answers."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import fail_after

from runcycles.errors import (
    BudgetExceededError,
    BudgetNotFoundError,
    ConfigurationError,
    ForbiddenError,
    InternalServerError,
    InvalidRequestError,
    ReservationNotFoundError,
    StoreError,
)
from runcycles.ids import new_id
from runcycles.ops import (
    Allowed,
    Balances,
    Commit,
    Decide,
    Denied,
    GetReservation,
    ListReservations,
    Release,
)
from runcycles.testing import FakeClock
from runcycles.types import Amount, Subject, Unit, tokens
from runcycles_server.embedded import EmbeddedAuthority
from tests.server.embedded_asks import ACTION, a_reserve, held, remaining

KINDS = ("memory", "file")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=KINDS)
def authority(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> Iterator[EmbeddedAuthority]:
    store = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/budget.db"
    found = EmbeddedAuthority(
        store=store, tenant="acme", budget="1000tokens", clock_ms=clock.now_ms
    )
    yield found
    found.close()


# ── asking ───────────────────────────────────────────────────────────────────────────────────


def test_every_question_is_answered_as_by_a_server(authority: EmbeddedAuthority) -> None:
    transport = authority.transport()
    reservation_id = held(authority)
    assert transport.send(GetReservation(reservation_id=reservation_id)).reserved == tokens(10)
    commit = Commit(idempotency_key=new_id(), reservation_id=reservation_id, actual=tokens(4))
    assert transport.send(commit).charged == tokens(4)
    assert len(transport.send(ListReservations(limit=5)).reservations) == 1
    assert remaining(authority) == 996
    transport.close()
    assert remaining(authority) == 996  # the transport is closed, the authority is not


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_any_event_loop_can_ask(authority: EmbeddedAuthority, backend: str) -> None:
    async def ask() -> None:
        transport = authority.async_transport()
        with fail_after(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(transport.send, a_reserve(10))
            with pytest.raises(BudgetExceededError):
                await transport.send(a_reserve(10_000))
        await transport.aclose()

    anyio.run(ask, backend=backend)
    anyio.run(ask, backend=backend)  # and another loop after it
    assert remaining(authority) == 600


def test_many_threads_never_oversell(authority: EmbeddedAuthority) -> None:
    def ask(_number: int) -> bool:
        try:
            authority.send(a_reserve(10))
        except BudgetExceededError:
            return False
        return True

    with ThreadPoolExecutor(max_workers=16) as threads:
        allowed = sum(threads.map(ask, range(300)))
    assert allowed == 100
    assert remaining(authority) == 0


def test_a_refusal_is_the_error_that_a_client_of_a_server_gets(
    authority: EmbeddedAuthority,
) -> None:
    with pytest.raises(BudgetExceededError) as refused:
        authority.send(a_reserve(1_001))
    error = refused.value
    assert (error.status, error.scope, error.requested) == (409, "tenant:acme", 1_001)
    assert (error.remaining, error.reason_code) == (1_000, "BUDGET_EXCEEDED")
    assert error.suggested_fix is not None
    assert error.request_id is not None
    assert error.trace_id is not None
    assert len(error.trace_id) == 32
    with pytest.raises(ReservationNotFoundError):
        authority.send(Release(idempotency_key=new_id(), reservation_id="never-was"))
    with pytest.raises(ForbiddenError):
        authority.send(a_reserve(subject=Subject(tenant="other")))


def test_a_denied_question_is_an_answer(authority: EmbeddedAuthority) -> None:
    dry = authority.send(a_reserve(1_001, dry_run=True))
    assert isinstance(dry, Denied)
    assert dry.detail is not None
    assert dry.detail.budget_remaining == 1_000
    asked = Decide(
        idempotency_key=new_id(),
        subject=Subject(tenant="acme"),
        action=ACTION,
        estimate=tokens(1),
    )
    assert isinstance(authority.send(asked), Allowed)


@pytest.mark.parametrize(
    "broken",
    [
        a_reserve(-1),
        a_reserve(2**63),
        a_reserve(subject=Subject(tenant="acme", agent="a/b")),
        a_reserve(subject=Subject()),
        a_reserve(key="x" * 257),
        a_reserve(metadata={"x": object()}),
        ListReservations(limit=201),
        ListReservations(sort_by="colour"),
        Release(idempotency_key="k", reservation_id="x" * 129),
        GetReservation(reservation_id=""),
    ],
)
def test_the_limits_of_the_protocol_hold_without_a_wire(
    authority: EmbeddedAuthority, broken: Any
) -> None:
    with pytest.raises(InvalidRequestError):
        authority.send(broken)


def test_overdue_holds_come_back_before_they_deny_anyone(
    authority: EmbeddedAuthority, clock: FakeClock
) -> None:
    authority.send(a_reserve(1_000))
    with pytest.raises(BudgetExceededError):
        authority.send(a_reserve(1))
    clock.advance(65_001)
    authority.send(a_reserve(1_000))


def test_a_store_that_fails_is_a_server_that_fails(tmp_path: Path, clock: FakeClock) -> None:
    authority = EmbeddedAuthority(store=f"sqlite:///{tmp_path}/x.db", tenant="acme")
    authority.close()
    with pytest.raises(InternalServerError, match=r"x\.db is not open") as failed:
        authority.send(a_reserve())
    assert failed.value.retryable
    assert isinstance(failed.value.__cause__, StoreError)


def test_a_sweep_that_fails_is_logged_and_denies_nobody_its_answer(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = f"sqlite:///{tmp_path}/x.db"
    authority = EmbeddedAuthority(
        store=store, tenant="acme", budget="10tokens", clock_ms=clock.now_ms
    )
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as foreign:
        foreign.execute("DROP TABLE reservations")
    assert remaining(authority) == 10
    assert "the sweep failed" in caplog.text
    authority.close()


# ── budgets ──────────────────────────────────────────────────────────────────────────────────


def test_without_a_budget_everything_is_denied() -> None:
    with pytest.raises(BudgetNotFoundError):
        EmbeddedAuthority(tenant="acme").send(a_reserve())


def test_a_scope_can_have_a_budget_of_its_own(authority: EmbeddedAuthority) -> None:
    authority.set_budget("15tokens", agent="Writer")
    writer = Subject(tenant="acme", agent="writer")
    authority.send(a_reserve(10, subject=writer))
    with pytest.raises(BudgetExceededError) as refused:
        authority.send(a_reserve(10, subject=writer))
    assert refused.value.scope == "tenant:acme/agent:writer"
    authority.set_budget(Amount(unit=Unit.TOKENS, amount=20), agent="writer")
    authority.send(a_reserve(10, subject=writer))
    assert remaining_of(authority, "tenant:acme") == 980


def remaining_of(authority: EmbeddedAuthority, scope: str) -> int:
    page = authority.send(Balances(tenant="acme"))
    return next(b.remaining.amount for b in page.balances if b.scope_path == scope)


def test_a_file_remembers_what_was_spent(tmp_path: Path) -> None:
    def opened(budget: str | None) -> EmbeddedAuthority:
        store = f"sqlite:///{tmp_path}/budget.db"
        return EmbeddedAuthority(store=store, tenant="acme", budget=budget)

    first = opened("1000tokens")
    reservation_id = held(first, 600)
    commit = Commit(idempotency_key="c", reservation_id=reservation_id, actual=tokens(600))
    first.send(commit)
    first.close()
    for budget, left in (("1000tokens", 400), (None, 400), ("2000tokens", 1_400)):
        again = opened(budget)
        assert remaining(again) == left
        again.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget": "5"},
        {"budget": "0usd"},
        {"tenant": "a/b"},
        {"tenant": ""},
        {"store": "mysql:///x"},
        {"store": "sqlite:///"},
    ],
)
def test_what_is_wrong_is_said_at_construction(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        EmbeddedAuthority(**{"budget": "5usd", **wrong})


def test_a_scope_that_no_subject_can_name_is_refused(authority: EmbeddedAuthority) -> None:
    with pytest.raises(ConfigurationError, match="agent:a b"):
        authority.set_budget("5usd", agent="a b")
