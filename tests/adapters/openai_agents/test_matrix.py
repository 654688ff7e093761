"""A denied call never happens: every scenario, every position, every way of guarding."""

import pytest

from runcycles.adapter_suite import Cell, Engine, attempt, cells, check
from tests.adapters.openai_agents.engine import TEAM, Guarded, Hooked, Unguarded

ASYNC = {
    ("tools", "async"): 4,
    ("sub_agent", "async"): 9,
    ("handoff", "async"): 7,
    ("stream", "async"): 4,
}
SYNC = {("tools", "sync"): 4, ("sub_agent", "sync"): 9, ("handoff", "sync"): 7}
QUESTIONS = {**ASYNC, **SYNC}


@pytest.mark.parametrize("cell", cells(QUESTIONS), ids=str)
def test_a_guarded_agent_never_makes_a_denied_call(cell: Cell) -> None:
    check(Guarded(), cell, TEAM, questions=QUESTIONS[cell.scenario, cell.mode])


@pytest.mark.parametrize("cell", cells(ASYNC), ids=str)
def test_neither_does_it_with_chat_completions(cell: Cell) -> None:
    engine = Guarded(responses=False)
    check(engine, cell, TEAM, questions=ASYNC[cell.scenario, cell.mode])


@pytest.mark.parametrize("cell", cells(QUESTIONS), ids=str)
def test_a_refused_tool_may_be_told_to_the_model(cell: Cell) -> None:
    engine = Guarded(refusal="tell_model")
    tools = ("look_up", "take_note", "ask_helper")
    questions = QUESTIONS[cell.scenario, cell.mode]
    check(engine, cell, TEAM, questions=questions, tolerates=tools)


@pytest.mark.parametrize("cell", cells(ASYNC), ids=str)
@pytest.mark.parametrize("engine", [Hooked(), Hooked(by_provider=True)], ids=lambda it: it.version)
def test_hooks_and_a_provider_never_let_a_denied_call_happen(engine: Engine, cell: Cell) -> None:
    check(engine, cell, TEAM, questions=ASYNC[cell.scenario, cell.mode])


@pytest.mark.parametrize("cell", [cell for cell in cells(ASYNC) if cell.position < 2], ids=str)
def test_without_a_guard_the_check_fails(cell: Cell) -> None:
    with pytest.raises(AssertionError):
        check(Unguarded(), cell, TEAM, questions=ASYNC[cell.scenario, cell.mode])


def test_the_team_without_a_guard_does_all_its_work() -> None:
    trial = attempt(Unguarded(), Cell(scenario="sub_agent", mode="async", position=0), TEAM)
    assert (trial.error, trial.requests) == (None, 5)
    assert sorted(trial.toolbox.ran) == ["look_up", "look_up", "take_note"]
