"""A denied call never happens: every scenario and mode, with every question refused in turn."""

import pytest

from runcycles.adapter_suite import Cell, Engine, cells, check
from tests.adapters.langchain.engine import (
    QUESTIONS,
    TEAM,
    Callbacks,
    Guarded,
    Middleware,
    Unguarded,
)

ENGINES = {engine.name: engine() for engine in (Guarded, Middleware, Callbacks)}


@pytest.mark.parametrize("cell", cells(QUESTIONS), ids=str)
@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_a_denied_call_never_happens(engine: Engine, cell: Cell) -> None:
    check(engine, cell, TEAM, questions=QUESTIONS[cell.scenario, cell.mode])


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_the_suite_notices_a_team_that_nobody_guards(mode: str) -> None:
    cell = Cell(scenario="tools", mode=mode, position=0)
    with pytest.raises(AssertionError, match="2 requests reached the model, 0 were reserved"):
        check(Unguarded(), cell, TEAM, questions=4)
