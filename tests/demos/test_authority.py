"""The demo of action authority as a user runs it: `cycles demo authority`."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from runcycles_demos.authority.actions import CENT, EMAIL, ESCALATE, STATUS
from runcycles_demos.authority.engine import CREWAI, LANGCHAIN, OPENAI_AGENTS
from runcycles_demos.authority.terms import (
    APPROVE_ONCE,
    AUTHORITY_DOWN,
    NEXT_CRM,
    NEXT_EMAIL,
    POLICY_DENY,
    RISK_POINTS,
    SCENES,
    SCENES_OF,
    STOP_ALL,
    UNGATED,
    USUAL,
    ZERO_BUDGET,
)
from tests.demos.run_demo import cycles, document, ids, scene

DEMO = "authority"
MISSING = str(Path(__file__).parent / "missing")


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """All scenes as fast as they go, with an agent of plain Python."""
    return document("--fast", "--engine", "plain", "--scene", "all", demo=DEMO)


def test_every_sentence_of_every_scene_holds(plain: dict[str, Any]) -> None:
    assert [each["name"] for each in plain["scenes"]] == list(SCENES)
    for each in plain["scenes"]:
        assert ids(each, ok=True) == [verdict["id"] for verdict in each["assertions"]]
    assert ids(scene(plain, UNGATED), ok=True) == ["A1", "A2"]
    assert {"A7", "A8", "A9", "A11"} <= set(ids(scene(plain, ZERO_BUDGET), ok=True))
    assert {"A7", "A10"} <= set(ids(scene(plain, STOP_ALL), ok=True))


def test_with_nobody_to_ask_the_email_is_sent(plain: dict[str, Any]) -> None:
    told = scene(plain, UNGATED)
    assert told["world"] == {
        "emails": [["jane@acme.example", "Your case #4782"]],
        "notes": 1,
        "status": {"4782": "Investigating"},
        "reviews": [],
    }
    assert (told["asked"], told["refused"]) == (0, [])


def test_without_a_budget_for_it_the_email_never_leaves(plain: dict[str, Any]) -> None:
    told = scene(plain, ZERO_BUDGET)
    assert told["world"]["emails"] == []
    assert told["world"]["reviews"] == ["4782"]
    (refused,) = told["refused"]
    assert (refused["tool"], refused["kind"]) == (EMAIL, "message.email.send")
    assert (refused["http"], refused["code"]) == (409, "BUDGET_EXCEEDED")
    assert refused["scope"].endswith("/agent:support-agent/toolset:send-email")
    assert refused["request_id"]
    assert refused["run_id"] == "run-1"


def test_the_ledger_is_what_three_actions_at_a_cent_make_of_it(plain: dict[str, Any]) -> None:
    spent = {
        balance["scope"].rpartition("/")[2]: (balance["allocated"], balance["spent"])
        for balance in scene(plain, ZERO_BUDGET)["ledger"]
    }
    for level in ("tenant:demo-zero-budget", "workflow:default", "agent:support-agent"):
        assert spent[level] == (100 * CENT, 3 * CENT)
    assert spent["toolset:internal-notes"] == (100 * CENT, 2 * CENT)
    assert spent["toolset:crm-updates"] == (100 * CENT, CENT)
    assert spent["toolset:send-email"] == (0, 0)


def test_a_policy_denies_what_there_is_money_for(plain: dict[str, Any]) -> None:
    told = scene(plain, POLICY_DENY)
    (refused,) = told["refused"]
    assert told["world"]["emails"] == []
    assert (refused["http"], refused["code"]) == (409, "ACTION_KIND_DENIED")
    assert refused["policy"].startswith("pol_")
    emails = [each for each in told["ledger"] if each["scope"].endswith("/toolset:send-email")]
    assert [(each["allocated"], each["spent"]) for each in emails] == [(100 * CENT, 0)]


def test_the_next_email_is_refused_until_there_is_a_new_run(plain: dict[str, Any]) -> None:
    told = scene(plain, NEXT_EMAIL)
    (refused,) = told["refused"]
    assert (refused["http"], refused["code"]) == (409, "ACTION_QUOTA_EXCEEDED")
    assert (refused["used"], refused["limit"], refused["run_id"]) == (3, 3, "run-1")
    received = [address for address, _ in told["world"]["emails"]]
    assert received == [f"customer-{number}@example.com" for number in (1, 2, 3, 4)]
    counted = [each["expected"][1] for each in told["assertions"] if each["id"] == "A5"]
    assert counted == [{"run-1": 3, "run-2": 1}]
    assert told["world"]["reviews"] == ["5004", "5005", "5006", "5007", "5008"]


def test_exactly_four_rows_are_changed_before_the_operator_lets_it_go_on(
    plain: dict[str, Any],
) -> None:
    told = scene(plain, NEXT_CRM)
    (refused,) = told["refused"]
    assert (refused["tool"], refused["code"]) == (STATUS, "BUDGET_FROZEN")
    assert len(told["world"]["status"]) == 10
    assert told["world"]["reviews"][0] == "5005"  # the fifth row
    actions = [(each["action"], bool(each["reason"])) for each in told["operator_actions"]]
    assert actions == [("freeze", True), ("unfreeze", True)]


def test_one_stop_is_for_everybody_and_lifting_it_lifts_nothing_else(
    plain: dict[str, Any],
) -> None:
    told = scene(plain, STOP_ALL)
    assert [each["action"] for each in told["operator_actions"]] == ["freeze", "stop", "lift"]
    codes = [(each["tool"], each["code"]) for each in told["refused"]]
    assert sorted(codes[:4]) == [
        (ESCALATE, "BUDGET_FROZEN"),
        (ESCALATE, "BUDGET_FROZEN"),
        (STATUS, "BUDGET_FROZEN"),
        (STATUS, "BUDGET_FROZEN"),
    ]
    assert codes[4:] == [(EMAIL, "BUDGET_FROZEN")]  # frozen before, and still so
    assert len(told["world"]["emails"]) == 1


def test_so_many_emails_as_are_wished_and_not_one_more(tmp_path: Path) -> None:
    picture = tmp_path / "emails.svg"
    wanted = ("--fast", "--engine", "plain", "--scene", NEXT_EMAIL, "--plot", str(picture))
    told = document(*wanted, "--emails", "21", "--quota", "20", demo=DEMO)
    emails = scene(told, NEXT_EMAIL)
    assert len(emails["world"]["emails"]) == 20 + 1
    (refused,) = emails["refused"]
    assert (refused["used"], refused["limit"]) == (20, 20)
    root = ET.fromstring(picture.read_text(encoding="utf-8"))
    texts = {element.text for element in root.iter()}
    assert {"409, e-mail 21", "quota: 20 a run", "wanted", "sent"} <= texts


def test_one_cent_of_the_operators_is_one_email(plain: dict[str, Any]) -> None:
    told = scene(plain, APPROVE_ONCE)
    assert len(told["world"]["emails"]) == 1
    assert [refused["run_id"] for refused in told["refused"]] == ["run-1", "run-3"]
    (action,) = told["operator_actions"]
    assert action["action"] == "fund"
    assert "approved by the team lead" in action["reason"]


def test_out_of_points_for_an_email_the_agent_still_takes_notes(plain: dict[str, Any]) -> None:
    told = scene(plain, RISK_POINTS)
    assert len(told["world"]["emails"]) == 2
    assert told["world"]["notes"] == 2
    (budget,) = told["ledger"]
    assert (budget["unit"], budget["allocated"], budget["spent"]) == ("RISK_POINTS", 100, 88)


def test_with_the_server_gone_nothing_is_sent_and_the_agent_ends_in_order(
    plain: dict[str, Any],
) -> None:
    told = scene(plain, AUTHORITY_DOWN)
    assert told["world"]["emails"] == []
    assert [refused["http"] for refused in told["refused"]] == [None]
    assert [run["ended_by"] for run in told["runs"]] == ["CyclesTransportError"]


def test_letting_tools_run_unasked_changes_the_first_sentence_and_no_other() -> None:
    wanted = ("--fast", "--json", "--engine", "plain", "--scene", AUTHORITY_DOWN, "--fail-open")
    done = cycles(*wanted, demo=DEMO)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["complete"], told["ok"], told["fail_open"]) == (True, False, True)
    down = scene(told, AUTHORITY_DOWN)
    assert ids(down, ok=False) == ["A1"]
    assert len(down["world"]["emails"]) == 1


@pytest.mark.parametrize("engine", [LANGCHAIN, OPENAI_AGENTS, CREWAI])
def test_an_agent_of_a_framework_is_held_back_as_well(engine: Any) -> None:
    told = document("--fast", "--engine", engine.name, "--scene", "all", demo=DEMO)
    assert told["engine"] == {"name": engine.name, "version": engine.version}
    assert [each["name"] for each in told["scenes"]] == list(SCENES_OF[engine.name])
    for each in told["scenes"]:
        assert ids(each, ok=True) == [verdict["id"] for verdict in each["assertions"]]
        assert {refused["run_id"] for refused in each["refused"]} <= {"run-1", "run-2", "run-3"}
    assert scene(told, ZERO_BUDGET)["world"]["emails"] == []


@pytest.mark.parametrize(
    ("name", "package"),
    [("langchain", "langchain_openai"), ("openai-agents", "agents"), ("crewai", "crewai")],
)
def test_a_framework_that_is_not_installed_is_named_with_the_command_that_installs_it(
    name: str, package: str
) -> None:
    environment = {"PYTHONPATH": MISSING, "MISSING_PACKAGES": package}
    done = cycles("--fast", "--json", "--engine", name, demo=DEMO, **environment)
    assert done.returncode == 3
    assert done.stderr == (
        f"cycles demo authority: The engine {name} is not installed; install it with: "
        f"pip install 'runcycles-demos[{name}]'\n"
    )
    told = json.loads(done.stdout)
    assert (told["complete"], told["ok"]) == (False, False)


def test_without_a_framework_the_agent_is_plain_python() -> None:
    environment = {"PYTHONPATH": MISSING, "MISSING_PACKAGES": "langchain"}
    done = cycles("--fast", "--json", "--scene", UNGATED, demo=DEMO, **environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["engine"]["name"] == "plain"


def test_plain_lines_say_what_was_asked_and_what_became_of_the_world() -> None:
    done = cycles("--fast", "--engine", "plain", demo=DEMO)  # no terminal, so it is plain
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 140
    for words in (
        "Scripted",
        "409 BUDGET_EXCEEDED",
        "e-mail jane@acme.example: Your case #4782",
        "409 ACTION_KIND_DENIED",
        "409 ACTION_QUOTA_EXCEEDED",
        "OPERATOR  freeze toolset:crm-updates",
        "OPERATOR  fund toolset:send-email",
        "All 10 sentences hold.",
        "escalated",
    ):
        assert words in done.stdout
    assert done.stdout.count("\nJudged") == 1  # a second scene does not say everything again


def test_help_names_every_flag_and_every_exit_code() -> None:
    done = cycles("--help", demo=DEMO, COLUMNS="100", TERM="dumb")
    assert done.returncode == 0
    flags = "scene engine fast json plain no-color plot emails quota fail-open period-ms timeout"
    for flag in flags.split():
        assert f"--{flag}" in done.stdout
    for name in (*SCENES, "plain", "langchain", "openai-agents", "crewai", "130"):
        assert name in done.stdout
    assert set(USUAL) <= set(SCENES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--engine", "abacus"], "plain, langchain, openai-agents, crewai"),
        (["--scene", "final"], "ungated, zero-budget"),
        (["--scene", RISK_POINTS, "--engine", "crewai"], "choose --engine langchain or plain"),
        (["--fail-open"], "--scene authority-down"),
        (["--emails", "3"], "--emails 3 --quota 3"),
        (["--emails", "301"], "at most 300"),
        (["--quota", "0"], "--quota 0"),
        (["--plot", "x.svg", "--scene", UNGATED], "add --scene next-email"),
        (["--plot", "x.png"], ".svg"),
        (["--timeout", "0"], "--timeout"),
        (["--fast", "--period-ms", "5"], "leave out --period-ms"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], words: str) -> None:
    done = cycles(*arguments, demo=DEMO)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
