"""One lane of the race as a process of its own: says "ready", waits to be told "go", then runs.

It writes one JSON object per line: what happens, and when by the monotonic clock that all
processes of one machine share.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from runcycles import CyclesClient, CyclesConfig, DeniedError, set_default_client
from runcycles_demos.kit.leash import hold
from runcycles_demos.runaway.agent import TICKET, Steps, SupportBot, answer
from runcycles_demos.runaway.guard import guarded, unguarded
from runcycles_demos.runaway.overhearing import OverheardAuthority
from runcycles_demos.runaway.terms import GUARDED, LANES
from runcycles_demos.runaway.watch import CutOffError, Watch


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the lane that the arguments ask for."""
    options = parser().parse_args(arguments)
    if options.lane == GUARDED:
        config = CyclesConfig.from_env()
        authority = OverheardAuthority(config)
        set_default_client(CyclesClient(config, authority=authority))
        run(options, guarded, authority)
    else:
        run(options, unguarded, None)


def run(
    options: argparse.Namespace,
    guard: Callable[[Steps], Steps],
    authority: OverheardAuthority | None,
) -> None:
    """Let the agent work on its ticket, with this guard around its steps."""
    watch = Watch(_tell, cut_s=options.cut_s, cut_calls=options.cut_calls)
    bot = SupportBot(options.model_url)
    steps = watch.outside(guard(watch.inside(bot.steps())))
    _tell("ready", time.monotonic())
    if not _told_to_go():
        return
    hold()
    stopped_by = _work(steps, watch, authority)
    _tell(
        "lane_stopped",
        time.monotonic(),
        by=stopped_by,
        started=watch.started,
        entered=watch.entered,
        answered=watch.answered,
        seconds=time.monotonic() - watch.began,
    )
    bot.close()


def _work(steps: Steps, watch: Watch, authority: OverheardAuthority | None) -> str:
    """Return what ended the agent's work."""
    try:
        answer(TICKET, steps)
    except CutOffError:
        return "cutoff"
    except DeniedError as refused:
        _tell(
            "reserve_denied",
            time.monotonic(),
            call=watch.started,
            http=refused.status,
            error=refused.error_code,
            scope=refused.scope,
            request_id=refused.request_id,
            trace_id=refused.trace_id,
            question=authority.last_question if authority else None,
        )
        return refused.error_code
    return "accepted"


def _tell(kind: str, t: float, /, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"kind": kind, "t": t, **facts}) + "\n")
    sys.stdout.flush()


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
    parser.add_argument("--model-url", required=True, help="where the lane's model is")
    cut = parser.add_mutually_exclusive_group(required=True)
    cut.add_argument("--cut-s", type=float, help="cut off after so many seconds")
    cut.add_argument("--cut-calls", type=int, help="cut off after so many calls")
    return parser


if __name__ == "__main__":
    main()
