"""Live through some worlds, or through the one that went wrong: `--seed 7` again.

`uv run python -m tests.simulation --seed N [--worlds W] [--steps M] [--store memory|sqlite]`
"""

import argparse
import gc
import sys

from tests.simulation.report import Tally
from tests.simulation.world import WORLDS, simulate


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.simulation")
    options.add_argument("--seed", type=int, default=0, help="the first world's")
    options.add_argument("--worlds", type=int, default=1)
    options.add_argument("--steps", type=int, default=1_000, help="operations in each world")
    options.add_argument("--store", choices=WORLDS, default="memory")
    given = options.parse_args()
    gc.freeze()
    tally = Tally()
    for seed in range(given.seed, given.seed + given.worlds):
        tally.add(simulate(seed, given.steps, given.store))
    sys.stdout.write(tally.text() + "\n")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
