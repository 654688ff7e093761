"""`cycles balance`: what is left, for people and for programs."""

import json
from collections.abc import Iterator

import pytest

from runcycles.types import SignedAmount, Unit, tokens, usd
from runcycles_server.cli.words import amount_words
from tests.server.cli.conftest import Command
from tests.support.served import Served, served


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def tenant(server: Served) -> str:
    """A tenant that spent a quarter of a dollar, holds a half, and has an agent with tokens."""
    tenant = server.tenant(allocated=100_000_000, unit="USD_MICROCENTS")
    asked = {"subject": {"tenant": tenant}, "action": {"kind": "a", "name": "b"}}
    spent = {"actual": {"unit": "USD_MICROCENTS", "amount": 25_000_000}, **asked}
    held = {"estimate": {"unit": "USD_MICROCENTS", "amount": 50_000_000}, **asked}
    agents = {
        "scope": f"tenant:{tenant}/agent:writer",
        "unit": "TOKENS",
        "allocated": {"unit": "TOKENS", "amount": 5_000},
    }
    with server.client_of(tenant) as client:
        answers = (
            client.post("/v1/events", json={"idempotency_key": "e", **spent}),
            client.post("/v1/reservations", json={"idempotency_key": "r", **held}),
            client.post("/v1/admin/budgets", json=agents),
        )
    assert all(answer.is_success for answer in answers)
    return tenant


@pytest.fixture
def shell(
    server: Served, tenant: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs commands where the settings of that tenant were sourced."""
    monkeypatch.setenv("CYCLES_BASE_URL", server.base_url)
    monkeypatch.setenv("CYCLES_API_KEY", server.key_of(tenant))
    monkeypatch.setenv("CYCLES_TENANT", tenant)
    return command


def scopes(out: str) -> list[str]:
    return [row["scope_path"] for row in json.loads(out)["balances"]]


def test_people_get_a_table_with_bars(shell: Command, tenant: str) -> None:
    ended = shell("balance")
    assert (ended.code, ended.err) == (0, "")
    head, whole, agent = (line.split() for line in ended.out.splitlines())
    assert head == ["scope", "left", "of", "spent", "held"]
    bar = "█" * 6 + "▒" * 12 + "░" * 6
    assert whole == [f"tenant:{tenant}", "$0.25", "$1.00", "$0.25", "$0.50", bar]
    assert agent[:3] == [f"tenant:{tenant}/agent:writer", "5,000", "tokens"]


def test_programs_get_json(shell: Command, tenant: str) -> None:
    ended = shell("balance", "agent:writer", "--json")
    assert scopes(ended.out) == [f"tenant:{tenant}/agent:writer"]


def test_scopes_that_overlap_are_shown_once(shell: Command, tenant: str) -> None:
    wanted = (f"tenant:{tenant}", f"tenant:{tenant}/agent:writer", "agent:nobody")
    assert len(scopes(shell("balance", *wanted, "--json").out)) == 2


def test_nothing_to_show_is_said(shell: Command) -> None:
    ended = shell("balance", "agent:nobody")
    assert (ended.code, ended.out) == (0, "There is no such budget.\n")


@pytest.mark.parametrize(
    ("arguments", "variable", "value", "code", "named"),
    [
        ((), "CYCLES_BASE_URL", "", 2, "CYCLES_BASE_URL"),
        ((), "CYCLES_API_KEY", "", 2, "CYCLES_API_KEY"),
        ((), "CYCLES_TENANT", "", 2, "CYCLES_TENANT"),
        (("writer",), "CYCLES_MODE", "", 2, "writer"),
        (("colour:red",), "CYCLES_MODE", "", 2, "colour:red"),
        ((), "CYCLES_API_KEY", "wrong", 1, "API key"),
        ((), "CYCLES_BASE_URL", "http://127.0.0.1:1", 1, "127.0.0.1:1"),
    ],
)
def test_what_goes_wrong_is_one_sentence(  # noqa: PLR0917 - a table of what may go wrong
    shell: Command,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    variable: str,
    value: str,
    code: int,
    named: str,
) -> None:
    monkeypatch.setenv(variable, value)
    ended = shell("balance", *arguments)
    assert ended.code == code
    assert ended.complains_about(named)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (usd("1"), "$1.00"),
        (usd("0.00000001"), "$0.00000001"),
        (usd("1234.5678"), "$1,234.5678"),
        (SignedAmount(unit=Unit.USD_MICROCENTS, amount=-150_000_000), "-$1.50"),
        (tokens(1_000), "1,000 tokens"),
        (SignedAmount(unit=Unit.RISK_POINTS, amount=-5), "-5 risk points"),
    ],
)
def test_amounts_are_exact_in_words(amount: SignedAmount, words: str) -> None:
    assert amount_words(amount) == words
