"""A demo that cannot fail proves nothing: here parts of it do not do their part."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from runcycles_demos.authority.show import authority_stack, show
from runcycles_demos.authority.terms import AGENT_LANE, APPROVE_ONCE, UNGATED, ZERO_BUDGET, Terms
from runcycles_demos.kit.processes import Command
from runcycles_demos.kit.showing import Wishes
from runcycles_demos.kit.stack import Stack
from tests.demos.run_demo import ids, scene
from tests.repo.tree import ROOT

FAST = Terms(period_ms=0)
HERE = {"PYTHONPATH": str(ROOT)}
Play = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def play(capsys: pytest.CaptureFixture[str]) -> Play:
    """Play scenes on a stack; the exit code, and the document."""

    def run(stack: Stack, scenes: Sequence[str] = (ZERO_BUDGET,)) -> tuple[int, dict[str, Any]]:
        terms = [replace(FAST, scene=name) for name in scenes]
        code = show(terms, Wishes(as_json=True), stack)
        return code, json.loads(capsys.readouterr().out)

    return run


def with_agent(module: str, *arguments: str) -> Stack:
    command = Command(module=f"tests.demos.{module}", arguments=arguments, environment=HERE)
    return replace(authority_stack(), agents={AGENT_LANE: command})


def with_server(crime: str) -> Stack:
    command = Command(
        module="tests.demos.crooked_authority",
        arguments=(crime, "dev", "--json", "--port", "0"),
        environment=HERE,
    )
    return replace(authority_stack(), authority=command)


def failed(document: dict[str, Any], name: str = ZERO_BUDGET) -> list[str]:
    return ids(scene(document, name), ok=False)


def test_a_guard_that_logs_and_lets_pass_is_noticed(play: Play) -> None:
    code, document = play(with_agent("careless_agent", "log only"))
    assert code == 1
    assert (document["complete"], document["ok"]) == (True, False)
    assert {"A1", "A3"} <= set(failed(document))
    assert len(scene(document, ZERO_BUDGET)["world"]["emails"]) == 1


def test_without_a_guard_the_email_is_sent_and_that_is_noticed(play: Play) -> None:
    code, document = play(with_agent("careless_agent", "unguarded"))
    assert code == 1
    assert {"A1", "A4", "A5"} <= set(failed(document))


def test_a_model_that_is_not_told_is_noticed(play: Play) -> None:
    code, document = play(with_agent("careless_agent", "keep silent"))
    assert code == 1
    assert {"A2", "A8", "A9"} <= set(failed(document))
    assert "A1" not in failed(document)


def test_the_agent_is_compared_with_the_one_that_nothing_held_back(play: Play) -> None:
    code, document = play(authority_stack(), (UNGATED, ZERO_BUDGET))
    assert (code, failed(document)) == (0, [])
    alike = scene(document, ZERO_BUDGET)["assertions"][-1]
    assert alike["id"] == "A11"
    assert alike["expected"] == alike["actual"]


def test_a_server_that_says_no_after_the_email_is_out_is_noticed(play: Play) -> None:
    code, document = play(with_server("refuse too late"))
    assert code == 1
    assert "A1" in failed(document)


def test_a_server_that_allows_everything_is_noticed(play: Play) -> None:
    code, document = play(with_server("allow everything"))
    assert code == 1
    assert {"A1", "A4"} <= set(failed(document))


def test_a_ledger_that_counts_a_microcent_too_many_is_noticed(play: Play) -> None:
    code, document = play(with_server("misreport"))
    assert code == 1
    assert failed(document) == ["A5"]


def test_a_server_that_writes_nothing_down_is_noticed(play: Play) -> None:
    code, document = play(with_server("keep no log"), (APPROVE_ONCE,))
    assert code == 1
    assert failed(document, APPROVE_ONCE) == ["A7", "A10"]


def test_the_last_screen_names_what_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    terms = [replace(FAST, scene=ZERO_BUDGET)]
    assert show(terms, Wishes(plain=True), with_agent("careless_agent", "log only")) == 1
    screen = capsys.readouterr().out
    assert "✗ A1" in screen
    assert "expected [0], found [1]" in screen
    assert "send_customer_email RAN, and nobody had said yes." in screen
    assert "do not hold." in screen


def test_an_agent_that_dies_is_the_machines_fault(play: Play) -> None:
    code, document = play(with_agent("dead_agent"), (ZERO_BUDGET, UNGATED))
    assert code == 3
    assert (document["complete"], document["ok"]) == (False, False)
    assert "agent process ended in the middle of its work" in document["trouble"]
    assert [each["name"] for each in document["scenes"]] == [ZERO_BUDGET]  # the rest is not tried


def test_a_server_that_does_not_start_is_the_machines_fault(play: Play) -> None:
    code, document = play(replace(authority_stack(), authority=Command(module="no.such.module")))
    assert code == 3
    assert "No module named" in document["trouble"]


def test_a_scene_that_takes_too_long_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert show([replace(FAST, timeout_s=0.2)], Wishes(as_json=True)) == 3
    assert "--timeout" in json.loads(capsys.readouterr().out)["trouble"]
