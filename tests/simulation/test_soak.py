"""The long run, for a moment."""

import subprocess
import sys


def test_the_soak_counts_everything_and_ends_when_enough_was_done() -> None:
    command = [sys.executable, "-m", "tests.simulation.soak"]
    command += ["--operations", "3000", "--kills", "1", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counted = {row[0].strip(): row[1].strip() for row in rows_of(done.stdout)}
    assert int(counted["operations"].replace(",", "")) >= 3_000
    assert int(counted["acknowledged"].replace(",", "")) >= 1_000
    assert counted["violations"] == "0"


def rows_of(text: str) -> list[list[str]]:
    return [line.strip("│").split("│") for line in text.splitlines() if line.startswith("│")]


def test_one_world_is_one_command() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "3", "--steps", "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].split() == ["violations", "0"]
