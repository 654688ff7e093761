"""The scenes `shadow` and `tokens` as a user runs them, and what they say of a system that lies."""

from dataclasses import replace
from typing import Any

import pytest

from runcycles_demos.kit.processes import Command
from runcycles_demos.kit.showing import Wishes
from runcycles_demos.runaway.engine import CENT, PLAIN
from runcycles_demos.runaway.scene import runaway_stack
from runcycles_demos.runaway.show import show
from runcycles_demos.runaway.terms import (
    DRY_RUN,
    GUARDED,
    LIMIT,
    OBSERVED,
    SHADOW,
    TOKENS,
    UNGUARDED,
    Terms,
)
from tests.demos.run_demo import Show, document, ids, scene
from tests.repo.tree import ROOT

# A hundred calls of ten cents each, of which the limit pays ten: as telling, and sooner over.
SHORT = Terms(engine=replace(PLAIN, price=10 * CENT), period_ms=0)


@pytest.fixture(scope="module")
def both() -> dict[str, Any]:
    """One run of both scenes, as fast as it goes: its document."""
    return document("--fast", "--scene", SHADOW, "--scene", TOKENS)


def test_every_sentence_of_both_scenes_holds(both: dict[str, Any]) -> None:
    assert [each["name"] for each in both["scenes"]] == [SHADOW, TOKENS]
    assert ids(scene(both, SHADOW), ok=True) == [f"S{n}" for n in range(1, 10)]
    assert ids(scene(both, TOKENS), ok=True) == [f"T{n}" for n in range(1, 11)]


def test_only_the_lane_that_records_learns_of_call_101(both: dict[str, Any]) -> None:
    lanes = scene(both, SHADOW)["lanes"]
    assert list(lanes) == [UNGUARDED, OBSERVED, DRY_RUN]
    for lane in lanes.values():
        assert lane["provider"] == {"requests": 1_000, "billed_microcents": 1_000 * CENT}
        assert lane["stopped_by"] == "cutoff"
    observed, dry_run = lanes[OBSERVED], lanes[DRY_RUN]
    assert observed["would_refuse"] == {"first_call": 101, "calls": 900}
    assert dry_run["would_refuse"] == {"first_call": None, "calls": 0}
    assert (observed["dry_runs"], observed["recorded"]) == (1_000, 1_000)
    assert (dry_run["dry_runs"], dry_run["recorded"]) == (1_000, 0)
    assert observed["ledger"][0]["spent"] == LIMIT
    assert dry_run["ledger"][0]["spent"] == 0


def test_what_is_not_spent_comes_back_call_by_call(both: dict[str, Any]) -> None:
    lane = scene(both, TOKENS)["lanes"][GUARDED]
    billed = lane["provider"]["billed_microcents"]
    assert billed == lane["ledger"][0]["spent"] <= LIMIT
    assert lane["estimated_microcents"] - lane["released_microcents"] == billed
    assert lane["refused_estimate_microcents"] > LIMIT - billed
    assert lane["denial"]["call"] == lane["agent_calls"] + 1


def test_the_series_has_a_column_for_every_lane(both: dict[str, Any]) -> None:
    three, one = scene(both, SHADOW)["series"], scene(both, TOKENS)["series"]
    assert three[-1][1:] == [1_000 * CENT] * 3
    assert one[-1][1:] == [scene(both, TOKENS)["lanes"][GUARDED]["provider"]["billed_microcents"]]


def test_plain_lines_say_what_watching_found(capsys: pytest.CaptureFixture[str]) -> None:
    scenes = [replace(SHORT, scene=name) for name in (TOKENS, SHADOW)]
    assert show(scenes, Wishes(plain=True)) == 0
    lines = capsys.readouterr().out
    assert max(map(len, lines.splitlines())) <= 120
    for words in (
        "call 11 would have been refused: BUDGET_EXCEEDED; it runs",
        "from call 11 on",
        "the common mistake",
        "All 9 sentences hold.",
        "All 10 sentences hold.",
    ):
        assert words in " ".join(lines.split())
    assert lines.count("\nJudged") == 1  # a second scene does not say everything again


def test_whoever_only_asks_is_not_taken_for_one_who_records(shown: Show) -> None:
    stack = runaway_stack()
    careless = replace(stack, agents={**stack.agents, OBSERVED: stack.agents[DRY_RUN]})
    code, told = shown([replace(SHORT, scene=SHADOW)], careless)
    assert code == 1
    assert ids(scene(told, SHADOW), ok=False) == ["S4", "S6", "S7"]


def test_watching_that_stops_the_agent_is_noticed(shown: Show) -> None:
    """The mode is lost on its way, so that the lane in shadow mode is refused for real."""
    stack = runaway_stack()
    obeying = stack.agents[OBSERVED]
    obeying = Command(
        module="tests.demos.obeying_lane",
        arguments=obeying.arguments,
        environment={**obeying.environment, "PYTHONPATH": str(ROOT)},
    )
    stack = replace(stack, agents={**stack.agents, OBSERVED: obeying})
    code, told = shown([replace(SHORT, scene=SHADOW)], stack)
    assert code == 1
    assert {"S2", "S4", "S6", "S8"} <= set(ids(scene(told, SHADOW), ok=False))


def test_without_the_guard_tokens_go_beyond_the_limit(shown: Show) -> None:
    stack = runaway_stack()
    bare = replace(stack, agents={**stack.agents, GUARDED: stack.agents[UNGUARDED]})
    code, told = shown([replace(SHORT, scene=TOKENS)], bare)
    assert code == 1
    assert {"T1", "T2", "T6"} <= set(ids(scene(told, TOKENS), ok=False))


@pytest.mark.parametrize(
    ("crime", "names"), [("charge twice", {"T2", "T3"}), ("misreport", {"T2"})]
)
def test_a_server_that_miscounts_tokens_is_noticed(
    crime: str, names: set[str], shown: Show
) -> None:
    authority = Command(
        module="tests.demos.crooked_authority",
        arguments=(crime, "dev", "--json", "--port", "0"),
        environment={"PYTHONPATH": str(ROOT)},
    )
    stack = replace(runaway_stack(), authority=authority)
    code, told = shown([replace(SHORT, scene=TOKENS)], stack)
    assert code == 1
    assert names <= set(ids(scene(told, TOKENS), ok=False))


def test_the_first_failure_does_not_hide_the_next_scene(shown: Show) -> None:
    stack = runaway_stack()
    bare = replace(stack, agents={**stack.agents, GUARDED: stack.agents[UNGUARDED]})
    scenes = [replace(SHORT, scene=name) for name in (TOKENS, SHADOW)]
    code, told = shown(scenes, bare)
    assert code == 1
    assert "T1" in ids(scene(told, TOKENS), ok=False)
    assert ids(scene(told, SHADOW), ok=False) == []
