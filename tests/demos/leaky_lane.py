"""A guarded lane whose guard asks too late: it runs the body of every call before it asks."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from runcycles import CyclesClient, CyclesConfig, cycles, set_default_client
from runcycles_demos.runaway import lane
from runcycles_demos.runaway.agent import Steps
from runcycles_demos.runaway.overhearing import OverheardAuthority
from runcycles_demos.runaway.terms import PRICE

P = ParamSpec("P")
R = TypeVar("R")


def late(step: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(step)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        result = step(*args, **kwargs)
        cycles(PRICE, action_kind="llm.completion", action_name=step.__name__)(lambda: result)()
        return result

    return call


def too_late(steps: Steps) -> Steps:
    return Steps(draft=late(steps.draft), evaluate=late(steps.evaluate), refine=late(steps.refine))


def main() -> None:
    options = lane.parser().parse_args()
    config = CyclesConfig.from_env()
    authority = OverheardAuthority(config)
    set_default_client(CyclesClient(config, authority=authority))
    lane.run(options, too_late, authority)


if __name__ == "__main__":
    main()
