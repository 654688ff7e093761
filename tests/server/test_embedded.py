"""The authority inside the caller's process: one line to start, no key, the same answers."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import fail_after

from runcycles import CyclesClient, CyclesConfig, cycles
from runcycles.errors import (
    BudgetExceededError,
    BudgetNotFoundError,
    ConfigurationError,
    CyclesProtocolError,
    ForbiddenError,
    InternalServerError,
    InvalidRequestError,
    ReservationNotFoundError,
    StoreError,
)
from runcycles.ids import new_id
from runcycles.ledger.state import Need, Outcome, Snapshot
from runcycles.ops import (
    Allowed,
    Balances,
    Commit,
    Decide,
    Denied,
    GetReservation,
    ListReservations,
    Release,
    Reserve,
)
from runcycles.testing import FakeClock
from runcycles.types import Action, Amount, Subject, Unit, tokens, usd
from runcycles_server.embedded import EmbeddedAuthority, open_embedded

ACTION = Action(kind="llm.completion", name="gpt-4o")
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


# ── URLs ─────────────────────────────────────────────────────────────────────────────────────


def test_one_url_is_one_budget_in_this_process() -> None:
    url = f"embedded:?tenant=acme&budget=1000tokens&tenant={new_id()}".rpartition("&")[0]
    one, other = open_embedded(url), open_embedded(url)
    one.send(a_reserve(400))
    assert remaining(other) == 600
    one.close()
    one.close()
    assert remaining(other) == 600
    other.close()


def test_authorities_in_memory_are_private_unless_named() -> None:
    one, other = (EmbeddedAuthority(tenant="acme", budget="1000tokens") for _ in range(2))
    one.send(a_reserve(400))
    assert (remaining(one), remaining(other)) == (600, 1_000)
    one.close()
    with pytest.raises(InternalServerError, match="not open"):
        one.send(a_reserve(400))
    assert remaining(other) == 1_000


def test_one_file_is_one_store_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = open_embedded("embedded:///my%20budget.db?tenant=acme&budget=1000tokens")
    absolute = open_embedded(f"embedded:///{tmp_path}/my budget.db?tenant=acme")
    neighbour = open_embedded("embedded:///my%20budget.db?tenant=other&budget=5usd")
    assert (tmp_path / "my budget.db").exists()
    relative.send(a_reserve(400))
    assert remaining(absolute) == 600
    (theirs,) = neighbour.send(Balances(tenant="other")).balances
    assert theirs.remaining.amount == usd("5").amount
    for authority in (relative, absolute, neighbour):
        authority.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("embedded:", "would deny everything"),
        ("embedded:?tenant=acme", "would deny everything"),
        ("embedded://budget.db", "names no embedded authority"),
        ("embedded:budget.db", "names no file"),
        ("embedded:///", "names no file"),
        ("embedded:///folder/", "names no file"),
        ("embedded:?budget=5usd#x", "names no embedded authority"),
        ("http://localhost", "names no embedded authority"),
        ("embedded:?budget=5", "does not say of what"),
        ("embedded:?budget=", "did the shell take"),
        ("embedded:?budgets=5usd", "sets budgets"),
        ("embedded:?budget=5usd&budget=6usd", "sets something twice"),
        ("embedded:?budget=5usd&tenant=a%2Fb", "tenant"),
    ],
)
def test_a_wrong_url_is_refused_with_the_sentence_that_helps(url: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        open_embedded(url)


# ── through the clients ──────────────────────────────────────────────────────────────────────


def test_a_client_takes_an_authority_or_its_url(tmp_path: Path) -> None:
    for client in (
        CyclesClient(authority=EmbeddedAuthority(budget="1usd")),
        CyclesClient(CyclesConfig(base_url=f"embedded:///{tmp_path}/b.db?budget=1usd")),
    ):

        @cycles(client=client, estimate=1_000, action_kind="llm.completion", action_name="gpt-4")
        def summarize(text: str) -> str:
            return text.upper()

        assert summarize("text") == "TEXT"
        (balance,) = client.balances().balances
        assert balance.spent is not None
        assert balance.spent.amount == 1_000
        client.close()


# ── processes and threads ────────────────────────────────────────────────────────────────────


def run(program: str, *given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *given]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_a_second_process_is_told(tmp_path: Path) -> None:
    url = f"embedded:///{tmp_path}/b.db?budget=1usd"
    first = open_embedded(url)
    second = run(
        "import sys; from runcycles_server.embedded import *; open_embedded(sys.argv[1])", url
    )
    assert "StoreBusyError" in second.stderr
    assert "b.db is in use by another process" in second.stderr
    first.close()
    assert run(ENDS_WITHOUT_CLOSING, url).returncode == 0


ENDS_WITHOUT_CLOSING = """
import sys
from runcycles import CyclesClient, CyclesConfig, cycles, set_default_client
set_default_client(CyclesClient(CyclesConfig(base_url=sys.argv[1])))

@cycles(estimate=1000, action_kind="llm.completion", action_name="gpt-4")
def summarize(text: str) -> str:
    return text.upper()

for _ in range(3):
    summarize("text")
"""


def test_the_end_of_the_process_closes_the_file(tmp_path: Path) -> None:
    url = f"embedded:///{tmp_path}/b.db?budget=1usd"
    ended = run(ENDS_WITHOUT_CLOSING, url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not (tmp_path / "b.db-wal").exists()  # SQLite removes its log when it is closed
    authority = open_embedded(url)
    (balance,) = authority.send(Balances(tenant="demo")).balances
    assert balance.spent is not None
    assert balance.spent.amount == 3_000
    authority.close()


FORKS = """
import os, sys, warnings
warnings.simplefilter("ignore")
from runcycles_server.embedded import open_embedded
from runcycles.ops import Balances
authority = open_embedded(sys.argv[1])
pid = os.fork()
if pid == 0:
    try:
        authority.set_budget("2usd")
    except Exception as problem:
        print(type(problem).__name__, problem, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
authority.set_budget("3usd")
print("the parent goes on", flush=True)
"""


def test_a_forked_child_is_told_rather_than_left_waiting(tmp_path: Path) -> None:
    ended = run(FORKS, f"embedded:///{tmp_path}/b.db?budget=1usd")
    assert ended.stdout.splitlines() == [
        "StoreError a store does not survive a fork: open it in the new process",
        "the parent goes on",
    ]


def test_who_asks_while_answering_is_refused_rather_than_left_waiting(
    authority: EmbeddedAuthority,
) -> None:
    """Python may run a finalizer anywhere, and a finalizer may settle a guard."""
    problems: list[BaseException] = []

    def finalizer(_snapshot: Snapshot) -> Outcome[None] | Need:
        with pytest.raises((StoreError, CyclesProtocolError)) as refused:
            authority.send(a_reserve())
        problems.append(refused.value)
        return Outcome(None)

    engine = authority._engine  # noqa: SLF001 - a finalizer needs no door
    engine.run(engine.store.transact((), finalizer))
    assert "a finalizer asked while the store was answering" in str(problems[0])
    assert remaining(authority) == 1_000
