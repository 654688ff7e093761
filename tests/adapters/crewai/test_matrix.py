import pytest

from runcycles.adapter_suite import Cell, cells, check
from tests.adapters.crewai.engine import QUESTIONS, TEAM, Engine, Unguarded


@pytest.mark.parametrize("cell", cells(QUESTIONS), ids=str)
def test_a_denied_call_never_happens_and_nothing_stays_open(cell: Cell) -> None:
    check(Engine(), cell, TEAM, questions=QUESTIONS[cell.scenario, cell.mode])


@pytest.mark.parametrize(("scenario", "mode"), QUESTIONS)
def test_the_suite_notices_a_crew_that_nobody_guards(scenario: str, mode: str) -> None:
    cell = Cell(scenario=scenario, mode=mode, position=0)
    with pytest.raises(AssertionError, match="reached the model, 0 were reserved"):
        check(Unguarded(), cell, TEAM, questions=QUESTIONS[scenario, mode])
