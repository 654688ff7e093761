"""The same worlds over a file, whose server may die between any two statements."""

from tests.simulation.report import Tally
from tests.simulation.world import simulate

WORLDS = 20
STEPS = 500
FAULTS = ["request lost", "reply lost", "twice", "late", "server crash", "disk busy", "disk full"]


def test_a_file_keeps_what_was_answered_wherever_its_server_dies() -> None:
    tally = Tally()
    for seed in range(WORLDS):
        tally.add(simulate(seed, STEPS, "sqlite"))
    assert tally.violations == [], "\n".join(tally.violations)
    for fault in FAULTS:
        assert tally.faults[fault] > WORLDS / 2, f"{fault} has hardly happened"
    assert tally.faults["torn commit"] > 0
    assert tally.faults["disk broken"] > 0


def test_a_world_whose_disk_broke_at_the_very_end_settles_after_a_restart() -> None:
    tally = Tally()
    tally.add(simulate(444408855, 2_000, "sqlite"))
    assert tally.violations == []
    assert tally.faults["disk broken"] > 0
