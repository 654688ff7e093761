"""What the scenes `shadow` and `tokens` claim, held against facts that are made up."""

from dataclasses import replace

import pytest

from runcycles_demos.runaway import shadow, tokens
from runcycles_demos.runaway.facts import Settled, ShadowFacts, TokensFacts
from runcycles_demos.runaway.terms import LIMIT
from tests.demos.made_facts import (
    DRY_RUN,
    OBSERVED,
    REFUSAL,
    bill,
    lane,
    ledger,
    scopes,
    shadow_facts,
    tokens_facts,
    tokens_lane,
)


def failed_shadow(facts: ShadowFacts) -> list[str]:
    return [verdict.id for verdict in shadow.judge(facts) if not verdict.ok]


def failed_tokens(facts: TokensFacts) -> list[str]:
    return [verdict.id for verdict in tokens.judge(facts) if not verdict.ok]


def test_nine_sentences_about_watching_hold_when_everything_went_as_claimed() -> None:
    verdicts = shadow.judge(shadow_facts())
    assert [verdict.id for verdict in verdicts] == [f"S{n}" for n in range(1, 10)]
    assert all(verdict.ok for verdict in verdicts)


def test_ten_sentences_about_tokens_hold_when_everything_went_as_claimed() -> None:
    verdicts = tokens.judge(tokens_facts())
    assert [verdict.id for verdict in verdicts] == [f"T{n}" for n in range(1, 11)]
    assert all(verdict.ok for verdict in verdicts)


@pytest.mark.parametrize(
    ("spoilt", "names"),
    [
        (shadow_facts(unguarded=lane(999)), ["S1", "S2", "S3", "S9"]),
        (shadow_facts(observed=replace(OBSERVED, lane=lane(100))), ["S2", "S9"]),
        (shadow_facts(dry_run=replace(DRY_RUN, lane=lane(999))), ["S3", "S9"]),
        (shadow_facts(observed=replace(OBSERVED, would_refuse=())), ["S4"]),
        (shadow_facts(observed=replace(OBSERVED, would_refuse=tuple(range(102, 1001)))), ["S4"]),
        (shadow_facts(observed=replace(OBSERVED, would_refuse=(101,))), ["S4"]),
        (shadow_facts(dry_run=replace(DRY_RUN, would_refuse=(1_000,))), ["S5"]),
        (shadow_facts(observed=replace(OBSERVED, recorded=999)), ["S6"]),
        (shadow_facts(dry_run=replace(DRY_RUN, recorded=1)), ["S6"]),
        (shadow_facts(observed=replace(OBSERVED, ledger=ledger(LIMIT - 1))), ["S7"]),
        (shadow_facts(dry_run=replace(DRY_RUN, ledger=ledger(1))), ["S7"]),
        (shadow_facts(observed=replace(OBSERVED, ledger=ledger(LIMIT, debt=1))), ["S8"]),
        (
            shadow_facts(
                dry_run=replace(DRY_RUN, ledger=replace(ledger(0), reservations={"ACTIVE": 1}))
            ),
            ["S8"],
        ),
    ],
)
def test_what_went_otherwise_while_watching_is_named(spoilt: ShadowFacts, names: list[str]) -> None:
    assert failed_shadow(spoilt) == names


SETTLED = tokens_facts().settled
BOOKS = tokens_facts().ledger


@pytest.mark.parametrize(
    ("spoilt", "names"),
    [
        (tokens_lane(bill=bill(101)), ["T1", "T2", "T3", "T8"]),
        (tokens_lane(bill=bill(0)), ["T1", "T2", "T3", "T8"]),
        (tokens_facts(ledger=replace(BOOKS, scopes=(*BOOKS.scopes[:4], scopes()[0]))), ["T2"]),
        (tokens_facts(settled=SETTLED[:2]), ["T3", "T5"]),
        (tokens_facts(settled=(*SETTLED[:2], Settled(estimate=1, actual=2))), ["T3", "T4", "T5"]),
        (tokens_facts(released=(1, 2, 3)), ["T5"]),
        (tokens_lane(refusals=()), ["T6"]),
        (tokens_lane(refusals=(REFUSAL,)), ["T6"]),
        (tokens_facts(refused_estimate=40 * LIMIT // 100), ["T7"]),
        (tokens_facts(refused_estimate=None), ["T7", "T9"]),
        (tokens_lane(entered=4), ["T8"]),
        (tokens_lane(started=3), ["T8"]),
        (tokens_facts(ledger=replace(BOOKS, reservations={"ACTIVE": 1})), ["T10"]),
    ],
)
def test_what_went_otherwise_with_tokens_is_named(spoilt: TokensFacts, names: list[str]) -> None:
    assert failed_tokens(spoilt) == names


def test_a_conversation_that_does_not_grow_is_noticed() -> None:
    """Every call is to cost the same: nothing that the scene could show."""
    flat = tuple(replace(call, estimate=60 * LIMIT // 100) for call in SETTLED)
    back = tuple(call.estimate - call.actual for call in flat)
    assert failed_tokens(tokens_facts(settled=flat, released=back)) == ["T9"]
