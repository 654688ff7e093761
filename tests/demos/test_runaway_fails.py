"""A demo that cannot fail proves nothing: here the race runs on parts that do not do their part."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from runcycles_demos.kit.processes import Command
from runcycles_demos.kit.showing import Wishes
from runcycles_demos.kit.stack import Stack
from runcycles_demos.runaway.scene import runaway_stack
from runcycles_demos.runaway.show import show
from runcycles_demos.runaway.terms import GUARDED, UNGUARDED, Terms
from tests.demos.run_demo import Show
from tests.repo.tree import ROOT

FAST = Terms(period_ms=0)
HERE = {"PYTHONPATH": str(ROOT)}
Race = Callable[[Stack], tuple[int, dict[str, Any]]]


@pytest.fixture
def race(shown: Show) -> Race:
    """Run the race on a stack; the exit code, and the document."""
    return lambda stack: shown([FAST], stack)


def failed(document: dict[str, Any]) -> list[str]:
    (scene,) = document["scenes"]
    return [verdict["id"] for verdict in scene["assertions"] if verdict["ok"] is False]


def with_authority(crime: str) -> Stack:
    authority = Command(
        module="tests.demos.crooked_authority",
        arguments=(crime, "dev", "--json", "--port", "0"),
        environment=HERE,
    )
    return replace(runaway_stack(), authority=authority)


def with_guarded_lane(command: Command) -> Stack:
    stack = runaway_stack()
    return replace(stack, agents={**stack.agents, GUARDED: command})


def test_without_the_guard_the_guarded_lane_spends_as_the_other_one_does(race: Race) -> None:
    code, document = race(with_guarded_lane(runaway_stack().agents[UNGUARDED]))
    assert code == 1
    assert document["complete"]
    assert not document["ok"]
    assert {"R1", "R4"} <= set(failed(document))
    assert document["scenes"][0]["lanes"]["guarded"]["provider"]["requests"] == 1_000


def test_a_guard_that_asks_too_late_is_noticed(race: Race) -> None:
    code, document = race(
        with_guarded_lane(
            Command(module="tests.demos.leaky_lane", environment=HERE).plus("--lane", GUARDED)
        )
    )
    assert code == 1
    assert {"R1", "R5"} <= set(failed(document))


def test_a_server_that_allows_everything_is_noticed(race: Race) -> None:
    code, document = race(with_authority("allow everything"))
    assert code == 1
    assert {"R1", "R4"} <= set(failed(document))


def test_a_server_that_charges_twice_is_noticed(race: Race) -> None:
    code, document = race(with_authority("charge twice"))
    assert code == 1
    assert {"R1", "R2", "R4"} <= set(failed(document))


def test_a_ledger_that_counts_a_microcent_too_many_is_noticed(race: Race) -> None:
    code, document = race(with_authority("misreport"))
    assert code == 1
    assert failed(document) == ["R2"]


def test_the_last_screen_names_what_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert show([FAST], Wishes(plain=True), with_authority("misreport")) == 1
    screen = capsys.readouterr().out
    assert "✗ R2" in screen
    assert "expected [100000000, 100000000" in screen
    assert screen.endswith("R2 does not hold.\n")


def test_a_model_that_does_not_start_is_the_machines_fault(race: Race) -> None:
    code, document = race(replace(runaway_stack(), model=Command(module="no.such.module")))
    assert code == 3
    assert (document["complete"], document["ok"]) == (False, False)
    assert "No module named" in document["trouble"]


def test_an_agent_that_dies_is_the_machines_fault(race: Race) -> None:
    code, document = race(
        with_guarded_lane(Command(module="tests.demos.dying_lane", environment=HERE))
    )
    assert code == 3
    assert "guarded process" in document["trouble"]
    assert failed(document) == []


def test_a_race_that_takes_too_long_is_given_up(race: Race) -> None:
    code = show([replace(FAST, timeout_s=0.5)], Wishes(as_json=True))
    assert code == 3
