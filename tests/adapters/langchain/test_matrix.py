"""A denied call never happens: every scenario and mode, with every question refused in turn."""

import pytest

from runcycles.adapter_suite import Cell, Engine, attempt, cells, check
from tests.adapters.langchain.engine import (
    QUESTIONS,
    TEAM,
    Callbacks,
    Everything,
    Guarded,
    Middleware,
    OnlyModels,
    OnlyTools,
    Unguarded,
)

ENGINES = {engine.name: engine() for engine in (Guarded, Middleware, Callbacks)}


@pytest.mark.parametrize("cell", cells(QUESTIONS), ids=str)
@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_a_denied_call_never_happens(engine: Engine, cell: Cell) -> None:
    check(engine, cell, TEAM, questions=QUESTIONS[cell.scenario, cell.mode])


@pytest.mark.parametrize("cell", cells(QUESTIONS), ids=str)
def test_guards_beside_each_other_ask_once(cell: Cell) -> None:
    check(Everything(), cell, TEAM, questions=QUESTIONS[cell.scenario, cell.mode])


@pytest.mark.parametrize("scenario", ["tools", "sub_agent", "handoff", "stream"])
@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("engine", [Unguarded(), OnlyModels(), OnlyTools()], ids=lambda it: it.name)
def test_the_suite_notices_what_nobody_guards(engine: Engine, mode: str, scenario: str) -> None:
    cell = Cell(scenario=scenario, mode=mode, position=0)
    with pytest.raises(AssertionError, match="were reserved"):
        check(engine, cell, TEAM, questions=QUESTIONS[scenario, mode])


def test_the_team_without_a_guard_does_all_its_work() -> None:
    trial = attempt(Unguarded(), Cell(scenario="sub_agent", mode="sync", position=0), TEAM)
    assert (trial.error, trial.requests) == (None, 5)
    assert sorted(trial.toolbox.ran) == ["look_up", "look_up", "take_note"]
