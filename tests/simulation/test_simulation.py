"""A hundred worlds full of faults, and nothing goes wrong in any of them."""

import pytest

from tests.simulation.report import Tally
from tests.simulation.world import WORLDS as WORLD_OF
from tests.simulation.world import simulate

WORLDS = 100
STEPS = 1_000


def test_nothing_is_oversold_lost_or_done_twice_in_any_world() -> None:
    tally = Tally()
    for seed in range(WORLDS):
        tally.add(simulate(seed, STEPS))
    assert tally.violations == [], "\n".join(tally.violations)
    assert tally.judged >= WORLDS * STEPS
    for fault in FAULTS:
        assert tally.faults[fault] > WORLDS, f"{fault} has hardly happened"
    for answer in ANSWERS:
        assert tally.answers[answer] > WORLDS / 10, f"{answer} was hardly ever answered"


FAULTS = ["request lost", "reply lost", "twice", "late", "store busy"]
FAULTS += ["server crash", "client crash", "clock jump"]
ANSWERS = ["ALLOW", "COMMITTED", "RELEASED", "ACTIVE", "APPLIED"]
ANSWERS += ["BUDGET_EXCEEDED", "BUDGET_FROZEN", "RESERVATION_EXPIRED", "RESERVATION_FINALIZED"]
ANSWERS += ["ACTION_QUOTA_EXCEEDED", "ACTION_KIND_DENIED", "LIMIT_EXCEEDED"]
ANSWERS += ["OVERDRAFT_LIMIT_EXCEEDED", "IDEMPOTENCY_MISMATCH"]


@pytest.mark.parametrize("store", WORLD_OF)
@pytest.mark.parametrize("seed", [0, 12])
def test_a_seed_tells_the_same_story_again(seed: int, store: str) -> None:
    first, second = WORLD_OF[store](seed, 300), WORLD_OF[store](seed, 300)
    assert first.run() == second.run()
    assert first.loop.time() == second.loop.time()
    assert first.court.oracle.holds == second.court.oracle.holds
    assert first.court.oracle.memory == second.court.oracle.memory


def test_another_seed_tells_another_story() -> None:
    assert simulate(1, 300).operations != simulate(2, 300).operations
