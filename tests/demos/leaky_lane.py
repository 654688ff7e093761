"""A guarded lane whose guard asks too late, on an engine that prints what it likes."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ParamSpec, TypeVar

from runcycles import cycles
from runcycles_demos.runaway import lane
from runcycles_demos.runaway.agent import Steps
from runcycles_demos.runaway.engines import plain
from runcycles_demos.runaway.job import Build, Job
from runcycles_demos.runaway.watch import Watch

P = ParamSpec("P")
R = TypeVar("R")


def late(step: Callable[P, R], price: int) -> Callable[P, R]:
    @functools.wraps(step)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        result = step(*args, **kwargs)
        cycles(price, action_kind="llm.completion", action_name=step.__name__)(lambda: result)()
        return result

    return call


@contextmanager
def bot(job: Job, watch: Watch) -> Iterator[Steps]:
    with plain.bot(replace(job, guarded=False), watch) as steps:
        yield Steps(
            draft=late(steps.draft, job.price),
            evaluate=late(steps.evaluate, job.price),
            refine=late(steps.refine, job.price),
        )


def load() -> Build:
    print("this goes where errors go, and not between the facts")  # noqa: T201 - the point
    return bot


def main() -> None:
    lane.run(lane.parser().parse_args(), load)


if __name__ == "__main__":
    main()
