"""What CrewAI's own client said to a model once, replayed: the accounts are those of that day."""

import pytest

from runcycles import CyclesClient
from runcycles.adapter_suite import Watched
from runcycles.errors import BudgetExceededError
from runcycles_crewai import cycles_crew
from tests.adapters.crewai.record import CASSETTES, KEY, NOBODY, RUNS, cassette
from tests.adapters.crewai.test_crews import PRICE


@pytest.mark.parametrize("name", RUNS)
def test_a_recorded_run_is_charged_what_it_was_charged(name: str) -> None:
    run, _, questions = RUNS[name]
    watched = Watched()
    with cassette(name) as played, CyclesClient(authority=watched) as client:
        with cycles_crew(client):
            output = run(NOBODY)
        assert played.all_played
    assert output.raw == "four euros"
    assert [op.action.name for op in watched.asked] == questions
    assert watched.spent >= PRICE
    assert not watched.open


@pytest.mark.parametrize("name", RUNS)
def test_a_recorded_run_that_is_denied_plays_nothing(name: str) -> None:
    with cassette(name) as played, CyclesClient(authority=Watched(deny_at=1)) as client:
        with cycles_crew(client), pytest.raises(BudgetExceededError):
            RUNS[name][0](NOBODY)
        assert played.play_count == 0


@pytest.mark.parametrize("name", RUNS)
def test_no_key_was_recorded(name: str) -> None:
    text = (CASSETTES / f"{name}.yaml").read_text(encoding="utf-8").lower()
    assert KEY not in text
    assert "authorization" not in text
    assert "bearer" not in text
