"""Who shares an embedded authority: URLs, files, clients, processes and threads."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runcycles import CyclesClient, CyclesConfig, cycles
from runcycles.errors import (
    ConfigurationError,
    CyclesProtocolError,
    InternalServerError,
    StoreError,
)
from runcycles.ids import new_id
from runcycles.ledger.state import Need, Outcome, Snapshot
from runcycles.ops import (
    Balances,
)
from runcycles.testing import FakeClock
from runcycles.types import usd
from runcycles_server.embedded import EmbeddedAuthority, open_embedded
from tests.server.embedded_asks import a_reserve, remaining

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
