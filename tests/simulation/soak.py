"""Ten million operations in worlds full of faults, then a real server ended two hundred times.

`uv run poe soak [--operations N] [--seconds S] [--kills K] [--seed N]`. A violation is printed with
the command that shows it again, and makes it fail.
"""

import argparse
import gc
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.report import Report, Tally
from tests.simulation.world import simulate
from tests.support.crashes import Round, rounds

STEPS = 2_000
ONE_FILE_IN = 5
"""Worlds over files are dearer, since each of their commits is real."""
STOPS_TO_KILLS = 20
"""For so many kills there is one orderly stop."""


def live(seed: int) -> Report:
    """One world, in a process of its own pool."""
    return simulate(seed, STEPS, "sqlite" if seed % ONE_FILE_IN == 0 else "memory")


def worlds(first: int, operations: int, seconds: float) -> Iterator[Report]:
    """Reports as they come, until enough was done or the time is over."""
    ends_at, seeds, done = time.monotonic() + seconds, count(first), 0
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=gc.freeze) as pool:
        running: set[Future[Report]] = {pool.submit(live, next(seeds)) for _ in range(workers * 2)}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for each in finished:
                done += each.result().judged
                if done + len(running) * STEPS < operations and time.monotonic() < ends_at:
                    running.add(pool.submit(live, next(seeds)))
                yield each.result()


def ended(kills: int) -> Iterator[Round]:
    """A real server, killed so many times, and stopped now and then."""
    with tempfile.TemporaryDirectory() as folder:
        killed, stopped = Path(folder) / "killed", Path(folder) / "stopped"
        killed.mkdir()
        stopped.mkdir()
        yield from rounds(killed, kills, signal.SIGKILL)
        yield from rounds(stopped, kills // STOPS_TO_KILLS, signal.SIGTERM)


def main() -> int:
    options = argparse.ArgumentParser(prog="poe soak")
    options.add_argument("--operations", type=int, default=10_000_000)
    options.add_argument("--seconds", type=float, default=float("inf"), help="for the worlds")
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=random.randrange(10**9))
    given = options.parse_args()
    console = Console()
    tally, crashes = Tally(), list[Round]()
    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*bars, TimeRemainingColumn(), console=console) as progress:
        operations = progress.add_task("operations", total=given.operations)
        for report in worlds(given.seed, given.operations, given.seconds):
            tally.add(report)
            for violation in tally.violations[-1:] if report.violations else []:
                console.print(violation, markup=False)
            progress.update(operations, completed=tally.judged)
        ends = progress.add_task(
            "kills and stops", total=given.kills + given.kills // STOPS_TO_KILLS
        )
        try:
            for crash in ended(given.kills):
                crashes.append(crash)
                progress.advance(ends)
        except AssertionError as problem:  # the server that was ended is no longer in order
            tally.violations.append(f"after {len(crashes)} ends of the real server: {problem}")
            console.print_exception()
    console.print(table(tally, crashes))
    return 1 if tally.violations else 0


def table(tally: Tally, crashes: list[Round]) -> Table:
    """What was done, and what went wrong."""
    found = Table("what", "how often", title="soak")
    found.columns[1].justify = "right"
    for name, times in tally.rows():
        found.add_row(name, f"{times:,}", style="bold" if name[0] != " " else "")
    found.add_section()
    found.add_row("ends of a real server", f"{len(crashes):,}", style="bold")
    for name in ("acknowledged", "unanswered", "unheard_holds"):
        times = sum(getattr(each, name) for each in crashes)
        found.add_row(f"  {name.replace('_', ' ')}", f"{times:,}")
    found.add_section()
    found.add_row("violations", f"{len(tally.violations):,}", style="bold")
    return found


if __name__ == "__main__":
    sys.exit(main())
