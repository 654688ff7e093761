"""The demo as a user runs it: `cycles demo runaway`, in processes of its own."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from runcycles_demos.runaway.engine import CENT as PRICE
from runcycles_demos.runaway.terms import LIMIT
from tests.demos.run_demo import cycles

NAMES = [f"R{n}" for n in range(1, 11)]


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """One run as fast as it goes: its document, and its picture."""
    picture = tmp_path_factory.mktemp("plot") / "race.svg"
    done = cycles("--fast", "--json", "--plot", str(picture))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout), picture.read_text(encoding="utf-8")


def test_every_sentence_holds(fast: tuple[dict[str, Any], str]) -> None:
    document, _ = fast
    assert (document["schema"], document["complete"], document["ok"]) == (
        "cycles-demo/1",
        True,
        True,
    )
    (scene,) = document["scenes"]
    assert [verdict["id"] for verdict in scene["assertions"]] == NAMES
    assert {verdict["id"] for verdict in scene["assertions"] if not verdict["ok"]} == {"R7"}


def test_one_lane_is_billed_ten_dollars_and_the_other_one(
    fast: tuple[dict[str, Any], str],
) -> None:
    lanes = fast[0]["scenes"][0]["lanes"]
    unguarded, guarded = lanes["unguarded"], lanes["guarded"]
    assert unguarded["provider"] == {"requests": 1_000, "billed_microcents": 1_000 * PRICE}
    assert (unguarded["agent_calls"], unguarded["stopped_by"]) == (1_000, "cutoff")
    assert guarded["provider"] == {"requests": 100, "billed_microcents": LIMIT}
    assert (guarded["agent_calls"], guarded["stopped_by"]) == (100, "BUDGET_EXCEEDED")
    assert guarded["reservations"] == {"COMMITTED": 100, "ACTIVE": 0, "RELEASED": 0, "EXPIRED": 0}


def test_the_document_names_the_refusal_and_every_scope(fast: tuple[dict[str, Any], str]) -> None:
    guarded = fast[0]["scenes"][0]["lanes"]["guarded"]
    denial = guarded["denial"]
    assert (denial["call"], denial["http"], denial["error"]) == (101, 409, "BUDGET_EXCEEDED")
    assert denial["request_id"]
    assert len(denial["trace_id"]) == 32
    scopes = [balance["scope"] for balance in guarded["ledger"]]
    assert denial["scope"] == scopes[0] == "tenant:demo"
    assert scopes[-1] == (
        "tenant:demo/workspace:default/app:default/workflow:default/agent:support-bot"
    )
    for balance in guarded["ledger"]:
        assert (balance["allocated"], balance["spent"]) == (LIMIT, LIMIT)
        assert (balance["reserved"], balance["remaining"], balance["debt"]) == (0, 0, 0)
    assert all(took > 0 for took in guarded["overhead_ms"].values())


def test_the_series_rises_call_by_call_to_both_bills(fast: tuple[dict[str, Any], str]) -> None:
    series = fast[0]["scenes"][0]["series"]
    assert len(series) == 1_100
    assert series == sorted(series)
    assert series[-1][1:] == [1_000 * PRICE, LIMIT]


def test_the_picture_holds_both_curves_and_the_refusal(fast: tuple[dict[str, Any], str]) -> None:
    root = ET.fromstring(fast[1])
    classes = [element.get("class") for element in root.iter()]
    assert {"curve first", "curve second", "limit", "mark"} <= set(classes)
    assert "409, call 101" in fast[1]
    assert "engine plain" in fast[1]


def test_at_its_real_pace_it_bills_ten_dollars_in_twelve_seconds() -> None:
    done = cycles("--json")
    if done.returncode == 3:  # the machine was busy, and the demo says so; that is no verdict
        done = cycles("--json")
    assert done.returncode == 0, done.stderr + done.stdout
    document = json.loads(done.stdout)
    verdicts = {verdict["id"]: verdict for verdict in document["scenes"][0]["assertions"]}
    assert all(verdict["ok"] for verdict in verdicts.values())
    assert 11.9 <= verdicts["R7"]["actual"] <= 12.6
    assert document["scenes"][0]["lanes"]["guarded"]["seconds"] < 6


def test_plain_lines_say_what_is_real_what_happened_and_what_it_showed() -> None:
    done = cycles("--fast")  # not a terminal, so it is plain by itself
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120
    for words in (
        "Scripted",
        "call 101 refused: 409 BUDGET_EXCEEDED at tenant:demo",
        "cut off after",
        "$10.00  1,000 calls",
        "All 9 sentences hold.",
    ):
        assert words in done.stdout.replace("The other 9", "All 9")


def test_help_names_every_flag_and_every_exit_code() -> None:
    done = cycles("--help", COLUMNS="100", TERM="dumb")
    assert done.returncode == 0
    for flag in (
        "scene",
        "engine",
        "fast",
        "json",
        "plain",
        "no-color",
        "plot",
        "seed",
        "period-ms",
        "timeout",
    ):
        assert f"--{flag}" in done.stdout
    for name in ("race", "shadow", "tokens", "plain", "langchain", "openai-agents", "crewai"):
        assert name in done.stdout
    assert "130" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "x"], "--seed"),
        (["--seed"], "--seed"),
        (["--period-ms", "0"], "--fast"),
        (["--period-ms", "nan"], "--period-ms"),
        (["--fast", "--period-ms", "5"], "leave out --period-ms"),
        (["--timeout", "-1"], "--timeout"),
        (["--timeout", "5"], "give it at least 22"),
        (["--period-ms", "1000"], "give it at least 1010"),
        (["--plot", "race.png"], ".svg"),
        (["--plot", "no/such/folder/race.svg"], "cannot write"),
        (["--engine", "abacus"], "plain, langchain, openai-agents, crewai"),
        (["--scene", "final"], "race, shadow, tokens, all"),
        (["--scene", "tokens", "--plot", "race.svg"], "add --scene race"),
        (["--scene", "all", "--timeout", "30"], "give it at least 57.6"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], words: str) -> None:
    done = cycles(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_pace_that_the_machine_cannot_keep_is_the_machines_fault(tmp_path: Path) -> None:
    done = cycles("--json", "--period-ms", "0.01", "--plot", str(tmp_path / "race.svg"))
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert (document["complete"], document["ok"]) == (True, False)
    assert "behind the pace" in document["trouble"]
    assert "behind the pace" in done.stderr
    failed = [v["id"] for v in document["scenes"][0]["assertions"] if v["ok"] is False]
    assert failed == []
