"""`cycles dev`: one step from nothing to a tenant that may spend, and back after a restart."""

import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.cli.conftest import Command
from tests.support.contract import check
from tests.support.processes import Process, running


def client(said: dict[str, Any]) -> httpx.Client:
    return httpx.Client(
        base_url=said["base_url"],
        headers={"X-Cycles-API-Key": said["api_key"]},
        event_hooks={"response": [check]},
    )


def remaining(said: dict[str, Any]) -> int:
    with client(said) as http:
        page = http.get("/v1/balances", params={"tenant": said["tenant"]}).json()
    return int(page["balances"][0]["remaining"]["amount"])


def spend(said: dict[str, Any], amount: int) -> int:
    body = {
        "idempotency_key": "e",
        "subject": {"tenant": said["tenant"]},
        "action": {"kind": "llm.completion", "name": "gpt-4o"},
        "actual": {"unit": "USD_MICROCENTS", "amount": amount},
    }
    with client(said) as http:
        return http.post("/v1/events", json=body).status_code


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Process]:
    with running("dev", "--port", "0", "--json", cwd=tmp_path) as process:
        yield process


def test_it_says_all_in_one_line_and_serves_by_then(dev: Process) -> None:
    said = dev.said()
    assert list(said) == ["base_url", "api_key", "tenant", "admin_key"]
    assert (said["tenant"], remaining(said)) == ("demo", 100_000_000)
    code, rest, errors = dev.stop()
    assert (code, rest, errors) == (0, "", "")


def test_a_restart_finds_tenant_budget_and_keys_as_they_were(dev: Process, tmp_path: Path) -> None:
    said = dev.said()
    assert spend(said, 25_000_000) == 201
    assert dev.stop(signal.SIGINT)[0] == 0
    with running("dev", "--port", "0", "--json", cwd=tmp_path) as again:
        found = again.said()
        assert {**found, "base_url": ""} == {**said, "base_url": ""}
        assert remaining(found) == 75_000_000
        assert again.stop() == (0, "", "")


def test_another_budget_on_the_same_store_is_reported_and_not_made(
    dev: Process, tmp_path: Path
) -> None:
    dev.said()
    dev.stop()
    with running("dev", "--budget", "5usd", "--port", "0", "--json", cwd=tmp_path) as again:
        assert remaining(again.said()) == 100_000_000
        code, _, errors = again.stop()
    assert code == 0
    assert "keeps the budget it has, $1.00" in errors


def test_another_tenant_on_the_same_store_gets_a_key_of_its_own(
    dev: Process, tmp_path: Path
) -> None:
    first = dev.said()
    dev.stop()
    with running("dev", "--tenant", "other", "--port", "0", "--json", cwd=tmp_path) as again:
        second = again.said()
        assert second["api_key"] != first["api_key"]
        assert second["admin_key"] == first["admin_key"]
        assert remaining(second) == 100_000_000


def test_a_key_that_the_store_does_not_know_is_replaced(dev: Process, tmp_path: Path) -> None:
    first = dev.said()
    dev.stop()
    for path in tmp_path.glob("cycles-dev.db*"):
        if path.suffix != ".env":
            path.unlink()
    with running("dev", "--port", "0", "--json", cwd=tmp_path) as again:
        second = again.said()
        assert second["api_key"] != first["api_key"]
        assert remaining(second) == 100_000_000


def test_the_exports_are_the_owners_alone_and_a_shell_can_read_them(
    dev: Process, tmp_path: Path
) -> None:
    said = dev.said()
    path = tmp_path / "cycles-dev.db.env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    exports = dict(
        line.removeprefix("export ").split("=", 1) for line in path.read_text().splitlines()
    )
    assert exports == {
        "CYCLES_BASE_URL": said["base_url"],
        "CYCLES_API_KEY": said["api_key"],
        "CYCLES_TENANT": "demo",
        "CYCLES_ADMIN_KEY": said["admin_key"],
    }


def test_for_people_it_prints_what_to_paste_and_what_to_do_next(tmp_path: Path) -> None:
    with running("dev", "--port", "0", cwd=tmp_path) as process:
        names = [process.line().split("=")[0] for _ in range(3)]
        _, rest, _ = process.stop()
    assert names == ["export CYCLES_BASE_URL", "export CYCLES_API_KEY", "export CYCLES_TENANT"]
    assert "cycles balance" in rest


def test_a_store_in_memory_leaves_nothing_behind(tmp_path: Path) -> None:
    with running("dev", "--store", "memory:", "--port", "0", "--json", cwd=tmp_path) as process:
        assert remaining(process.said()) == 100_000_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--budget", "lots"), "lots"),
        (("--budget", "-1usd"), "-1usd"),
        (("--tenant", "No Such Id"), "tenant"),
        (("--store", "postgres:"), "postgres:"),
        (("--port", "many"), "--port"),
        (("extra",), "extra"),
    ],
)
def test_wrong_input_is_one_sentence_and_makes_nothing(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    ended = command("dev", "--port", "0", *arguments)
    assert ended.code == 2
    assert ended.complains_about(named)
    assert list(tmp_path.iterdir()) == []


def test_an_env_file_that_is_none_is_one_sentence(command: Command, tmp_path: Path) -> None:
    (tmp_path / "cycles-dev.db.env").mkdir()
    ended = command("dev", "--port", "0")
    assert ended.code == 1
    assert ended.complains_about("cycles-dev.db.env")
