from dataclasses import replace

import pytest

from runcycles_demos.runaway.assertions import judge, lateness, pace_held
from runcycles_demos.runaway.facts import Facts, Ledger, LoggedRefusal, Replay
from runcycles_demos.runaway.terms import LIMIT, Terms
from tests.demos.made_facts import REFUSAL, bill, facts, guarded, scopes, unguarded


def failed(facts: Facts) -> list[str]:
    return [verdict.id for verdict in judge(facts) if verdict.ok is False]


def not_judged(facts: Facts) -> list[str]:
    return [verdict.id for verdict in judge(facts) if verdict.ok is None]


def ledger(active: int = 0, **different: int) -> Facts:
    reservations = {"COMMITTED": 100, "ACTIVE": active}
    return facts(ledger=Ledger(scopes=scopes(**different), reservations=reservations))


def test_ten_sentences_hold_when_everything_went_as_claimed() -> None:
    verdicts = judge(facts())
    assert [verdict.id for verdict in verdicts] == [f"R{n}" for n in range(1, 11)]
    assert all(verdict.ok for verdict in verdicts)


@pytest.mark.parametrize(
    ("spoilt", "names"),
    [
        (guarded(bill=bill(99)), ["R1", "R2", "R5", "R8"]),
        (ledger(spent=LIMIT - 1), ["R2"]),
        (ledger(reserved=1), ["R3"]),
        (ledger(active=1), ["R3"]),
        (guarded(refusals=(REFUSAL, REFUSAL)), ["R4", "R9"]),
        (guarded(refusals=(replace(REFUSAL, call=102),)), ["R4"]),
        (guarded(refusals=(replace(REFUSAL, http=500),)), ["R4", "R9"]),
        (guarded(refusals=()), ["R4", "R9"]),
        (guarded(entered=101), ["R5"]),
        (guarded(answered=101), ["R5"]),
        (unguarded(bill=bill(1_001, every_s=0.011), answered=1_001), ["R6"]),
        (unguarded(answered=999), ["R6"]),
        (unguarded(seconds=11.8), ["R7"]),
        (unguarded(stopped_by="accepted"), ["R7"]),
        (facts(logged=()), ["R9"]),
        (facts(logged=(LoggedRefusal(http=409, error="BUDGET_EXCEEDED", request_id="x"),)), ["R9"]),
        (facts(replay=None), ["R10"]),
        (facts(replay=Replay(http=200, error=None, changed=False)), ["R10"]),
        (facts(replay=Replay(http=409, error="BUDGET_EXCEEDED", changed=True)), ["R10"]),
    ],
)
def test_what_went_otherwise_is_named(spoilt: Facts, names: list[str]) -> None:
    assert failed(spoilt) == names


def test_another_agent_in_one_lane_is_noticed() -> None:
    lane = facts().guarded
    asked = list(lane.bill.calls)
    asked[41] = replace(asked[41], body="something else")
    (verdict,) = [
        verdict
        for verdict in judge(guarded(bill=replace(lane.bill, calls=tuple(asked))))
        if not verdict.ok
    ]
    assert (verdict.id, verdict.expected, verdict.actual) == ("R8", 100, 41)


def test_a_slow_machine_fails_no_sentence_but_leaves_those_about_speed_open() -> None:
    slow = unguarded(bill=bill(900, every_s=12 / 900), answered=900)
    assert not pace_held(slow)
    assert failed(slow) == []
    assert not_judged(slow) == ["R6"]
    assert not_judged(unguarded(seconds=12.7)) == ["R7"]


def test_a_cut_that_comes_too_early_is_no_slow_machine() -> None:
    early = unguarded(bill=bill(500), answered=500, seconds=6.0)
    assert lateness(early) == pytest.approx(1.0)
    assert failed(early) == ["R6", "R7"]


def test_a_slow_machine_does_not_excuse_the_guard() -> None:
    slow = unguarded(bill=bill(900, every_s=12 / 900), answered=900)
    assert failed(replace(slow, guarded=replace(slow.guarded, entered=101))) == ["R5"]


def test_a_lane_that_was_too_slow_to_reach_its_limit_says_nothing_about_it() -> None:
    slow = unguarded(bill=bill(60, every_s=0.2), answered=60)
    cut = replace(slow.guarded, bill=bill(50), started=50, entered=50, answered=50, refusals=())
    starved = replace(slow, guarded=replace(cut, stopped_by="cutoff"), logged=(), replay=None)
    assert failed(starved) == []
    assert "R1" in not_judged(starved)
    stopped = replace(starved, guarded=replace(cut, stopped_by="BUDGET_EXCEEDED"))
    assert "R1" in failed(stopped)


def test_without_a_pace_the_unguarded_lane_runs_a_number_of_calls_whatever_they_take() -> None:
    fast = replace(unguarded(bill=bill(1_000, every_s=0.002), seconds=2), terms=Terms(period_ms=0))
    assert lateness(fast) is None
    assert failed(fast) == []
    assert not_judged(fast) == ["R7"]
    short = replace(fast, unguarded=replace(fast.unguarded, bill=bill(999), answered=999))
    assert failed(short) == ["R6"]


def test_a_skipped_sentence_says_why_in_the_document() -> None:
    fast = replace(facts(), terms=Terms(period_ms=0))
    members = judge(fast)[6].as_json()
    assert members["ok"] is None
    assert "--fast" in members["skipped"]
    assert "skipped" not in judge(fast)[0].as_json()
