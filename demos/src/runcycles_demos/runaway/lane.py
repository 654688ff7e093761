"""One lane of a scene as a process of its own: says "ready", waits to be told "go", then runs.

It writes one JSON object per line: what happens, and when by the monotonic clock that all
processes of one machine share.
"""

import argparse
import importlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from runcycles import CyclesClient, CyclesConfig, DeniedError, set_default_client
from runcycles_demos.kit.leash import hold
from runcycles_demos.kit.overhearing import OverheardAuthority
from runcycles_demos.kit.telling import Tell, telling
from runcycles_demos.runaway.agent import TICKET, Steps, answer
from runcycles_demos.runaway.engine import ENGINES, PLAIN
from runcycles_demos.runaway.guard import dry_run_alone
from runcycles_demos.runaway.job import Build, Job
from runcycles_demos.runaway.overhearing import Questions
from runcycles_demos.runaway.terms import DRY_RUN, GUARDED, LANES, OBSERVED, UNGUARDED
from runcycles_demos.runaway.watch import CutOffError, Watch


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the lane that the arguments ask for."""
    options = parser().parse_args(arguments)
    run(options, lambda: importlib.import_module(ENGINES[options.engine].module).bot)


def run(options: argparse.Namespace, load: Callable[[], Build]) -> None:
    """Let the agent of the engine that this loads work on its ticket."""
    tell = telling()
    watch = Watch(tell, cut_s=options.cut_s, cut_calls=options.cut_calls)
    questions = None if options.lane == UNGUARDED else _overheard(tell, watch)
    job = Job(
        model_url=options.model_url,
        guarded=options.lane in (GUARDED, OBSERVED),
        price=options.price,
        by_tokens=options.by_tokens,
    )
    with ExitStack() as work:
        steps = work.enter_context(load()(job, watch))
        if options.lane == DRY_RUN:
            steps = dry_run_alone(steps, options.price)
        tell("ready", time.monotonic())
        if not _told_to_go():
            return
        hold()
        stopped_by = _work(watch.outside(steps), watch, tell, questions)
        now = time.monotonic()
        counts = {"started": watch.started, "entered": watch.entered, "answered": watch.answered}
        tell("lane_stopped", now, by=stopped_by, seconds=now - watch.began, **counts)


def _overheard(tell: Tell, watch: Watch) -> Questions:
    """What is asked of the server that the environment names, which is everybody's default."""

    def tell_call(kind: str, t: float, /, **facts: Any) -> None:
        tell(kind, t, call=watch.started, **facts)

    config, questions = CyclesConfig.from_env(), Questions(tell_call)
    authority = OverheardAuthority(config, questions.hear)
    set_default_client(CyclesClient(config, authority=authority))
    return questions


def _work(steps: Steps, watch: Watch, tell: Tell, questions: Questions | None) -> str:
    """Return what ended the agent's work."""
    try:
        answer(TICKET, steps)
    except CutOffError:
        return "cutoff"
    except DeniedError as refused:
        tell(
            "reserve_denied",
            time.monotonic(),
            call=watch.started,
            http=refused.status,
            error=refused.error_code,
            scope=refused.scope,
            request_id=refused.request_id,
            trace_id=refused.trace_id,
            question=questions.last if questions else None,
        )
        return refused.error_code
    return "accepted"


def _told_to_go() -> bool:
    """Wait for one line; False if standard input closes instead. Unbuffered: `hold` reads on."""
    said = b""
    while not said.endswith(b"\n"):
        if not (more := os.read(0, 1)):
            return False
        said += more
    return True


def parser() -> argparse.ArgumentParser:
    """Return the parser of what a lane is told."""
    parser = argparse.ArgumentParser(prog="python -m runcycles_demos.runaway.lane")
    parser.add_argument("--lane", choices=LANES, required=True)
    parser.add_argument("--engine", choices=ENGINES, default=PLAIN.name)
    parser.add_argument("--model-url", required=True, help="where the lane's model is")
    parser.add_argument("--price", type=int, required=True, help="microcents for each call")
    parser.add_argument("--by-tokens", action="store_true", help="count tokens, not calls")
    cut = parser.add_mutually_exclusive_group(required=True)
    cut.add_argument("--cut-s", type=float, help="cut off after so many seconds")
    cut.add_argument("--cut-calls", type=int, help="cut off after so many calls")
    return parser


if __name__ == "__main__":
    main()
