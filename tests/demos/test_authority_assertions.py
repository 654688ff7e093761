from dataclasses import replace

import pytest

from runcycles_demos.authority.actions import CENT
from runcycles_demos.authority.assertions import judge
from runcycles_demos.authority.facts import Budget, Expected, Facts, Rows, Turn
from runcycles_demos.authority.terms import UNGATED, Terms
from runcycles_demos.authority.world import effects
from tests.demos.made_authority import (
    AGENT,
    EFFECTS,
    ESCALATED,
    EXPECTED,
    FUNDED,
    KEPT,
    NOTED,
    REFUSED,
    facts,
    happened,
)


def failed(facts: Facts) -> list[str]:
    return [verdict.id for verdict in judge(facts) if verdict.ok is False]


def test_every_sentence_holds_when_everything_went_as_claimed() -> None:
    verdicts = judge(facts())
    assert [verdict.id for verdict in verdicts] == [f"A{number}" for number in range(1, 12)]
    assert all(verdict.ok for verdict in verdicts)


@pytest.mark.parametrize(
    ("spoilt", "names"),
    [
        (facts(effects=(*EFFECTS, happened(effects.EMAIL, 2.1))), ["A1"]),
        (facts(effects=(*EFFECTS, happened(effects.NOTE, 2.1))), ["A2"]),
        (facts(effects=(*EFFECTS, happened(effects.STATUS, 2.1))), ["A2"]),
        (facts(tables=Rows(notes=2, reviews=1)), ["A2"]),
        (facts(turns=(NOTED, replace(REFUSED, entered=1), ESCALATED)), ["A3"]),
        (facts(turns=(replace(NOTED, entered=0), REFUSED, ESCALATED)), ["A3"]),
        (facts(turns=(replace(NOTED, entered=2), REFUSED, ESCALATED)), ["A3"]),
        (facts(turns=(NOTED, replace(REFUSED, http=500), ESCALATED)), ["A4"]),
        (facts(turns=(NOTED, replace(REFUSED, code="OTHER"), ESCALATED)), ["A4", "A7", "A8"]),
        (facts(turns=(NOTED, replace(REFUSED, policy="another"), ESCALATED)), ["A4"]),
        (facts(turns=(NOTED, ESCALATED)), ["A4", "A7"]),
        (facts(ended=("CyclesTransportError",)), ["A4"]),
        (facts(ledger={"tenant:demo": Budget(allocated=100 * CENT, spent=3 * CENT)}), ["A5"]),
        (facts(ledger={}), ["A5"]),
        (facts(counters={"run-1": 1}), ["A5"]),
        (facts(expected=replace(EXPECTED, counters={"run-1": 3}), counters={"run-1": 4}), ["A5"]),
        (facts(reserved=1), ["A6"]),
        (facts(active=1), ["A6"]),
        (facts(kept=()), ["A7"]),
        (facts(kept=(replace(KEPT, reason=None),)), ["A7"]),
        (facts(kept=(replace(KEPT, failed_step=None),)), ["A7"]),
        (facts(kept=(replace(KEPT, audited="OTHER"),)), ["A7"]),
        (facts(deeds=()), ["A10"]),
        (facts(deeds=(FUNDED, FUNDED)), ["A10"]),
        (facts(deeds=(replace(FUNDED, actor=None),)), ["A10"]),
        (facts(deeds=(replace(FUNDED, audited_reason="another"),)), ["A10"]),
        (facts(turns=(NOTED, replace(REFUSED, told="no"), ESCALATED)), ["A8"]),
        (facts(turns=(NOTED, replace(REFUSED, told=None), ESCALATED)), ["A8"]),
        (facts(effects=(EFFECTS[0], happened(effects.REVIEW, 1.5))), ["A9"]),
        (facts(agent=replace(AGENT, code="other")), ["A11"]),
        (facts(agent=replace(AGENT, first_question="other")), ["A11"]),
    ],
)
def test_what_went_otherwise_is_named(spoilt: Facts, names: list[str]) -> None:
    assert failed(spoilt) == names


def test_an_email_of_the_wrong_run_is_not_the_right_one() -> None:
    expected = replace(EXPECTED, emails=(0, 1), rows=(EXPECTED.rows[0], Rows()))
    early = facts(expected=expected, effects=(*EFFECTS, happened(effects.EMAIL, 2.1)))
    assert failed(early) == ["A1"]
    right = facts(expected=expected, effects=(*EFFECTS, happened(effects.EMAIL, 9.0, phase=2)))
    assert failed(right) == []


def test_a_tool_that_nobody_could_be_asked_for_was_not_refused() -> None:
    unanswered = replace(REFUSED, http=None, code="CyclesTransportError", entered=1)
    assert "A3" not in failed(facts(turns=(NOTED, unanswered, ESCALATED)))


def stopped(*turns: Turn, late: int = 0) -> Facts:
    """Two agents who were stopped at 2.0 s, after a row each; so many rows changed after it."""
    rows = [replace(NOTED, lane=lane, asked_at=1.0) for lane in ("agent", "agent-2")]
    changed = [happened(effects.STATUS, 1.1), happened(effects.STATUS, 2.1)]
    expected = Expected(
        emails=(0,),
        rows=(Rows(statuses=2 + late),),
        ledger=EXPECTED.ledger,
        actions=("stop",),
        stops=True,
    )
    return facts(
        expected=expected,
        turns=(*rows, *turns),
        effects=(*changed, *[happened(effects.STATUS, 2.2)] * late),
        tables=expected.rows[0],
        deeds=(replace(FUNDED, action="stop", at=2.0),),
    )


def test_what_a_stop_finds_under_way_may_end_and_nothing_else_begins() -> None:
    assert "A2" not in failed(stopped())
    assert "A2" not in failed(stopped(late=1))
    assert "A2" in failed(stopped(late=2))  # two agents cannot have three steps under way
    assert "A2" in failed(stopped(replace(NOTED, asked_at=2.05)))
    assert "A2" in failed(replace(stopped(), deeds=()))


def test_whoever_was_stopped_could_not_ask_a_human_either() -> None:
    barred = replace(ESCALATED, allowed=False, http=409, code="BUDGET_FROZEN", entered=0)
    assert "A9" not in failed(facts(turns=(NOTED, REFUSED, barred), effects=EFFECTS[:1]))


def test_only_the_world_is_judged_where_nobody_is_asked() -> None:
    bare = facts(terms=Terms(scene=UNGATED), expected=Expected(emails=(0,), rows=EXPECTED.rows))
    assert [verdict.id for verdict in judge(bare)] == ["A1", "A2"]


def test_without_the_other_scene_nothing_is_said_of_the_same_agent() -> None:
    (verdict,) = [each for each in judge(facts(ungated=None)) if each.ok is None]
    assert verdict.id == "A11"
    assert verdict.as_json()["skipped"] == "add --scene ungated"
