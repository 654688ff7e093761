"""One showing, from the first screen to the exit code."""

import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from runcycles import CyclesError
from runcycles_demos.kit import svg
from runcycles_demos.kit.renderers import Renderer
from runcycles_demos.kit.stack import RunningStack, Stack
from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.kit.trouble import (
    EXIT_ENVIRONMENT,
    EXIT_FAILED,
    EXIT_HELD,
    EXIT_INTERRUPTED,
    Interruptions,
    StackError,
    StoppedError,
)
from runcycles_demos.runaway.aftermath import conclude
from runcycles_demos.runaway.introduction import introduction
from runcycles_demos.runaway.reading import SceneReading
from runcycles_demos.runaway.render_json import Silence, document
from runcycles_demos.runaway.render_live import LiveRenderer
from runcycles_demos.runaway.render_plain import PlainRenderer
from runcycles_demos.runaway.scene import prepare, runaway_stack
from runcycles_demos.runaway.terms import BOTH, RACE, Terms

Check = Callable[[], None]

# What the whole showing ends with, if its scenes end with several of these.
_WEIGHTIEST_FIRST = (EXIT_INTERRUPTED, EXIT_FAILED, EXIT_ENVIRONMENT, EXIT_HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How it is to be shown."""

    as_json: bool = False
    plain: bool = False
    plot: Path | None = None


def show(scenes: Sequence[Terms], wishes: Wishes, stack: Stack | None = None) -> int:
    """Run the scenes on this stack, or on the real one; return the exit code."""
    stack = stack or runaway_stack()
    timelines: list[Timeline] = []
    codes: list[int] = []
    with Interruptions() as interruptions:
        check = _checker(interruptions, max(terms.timeout_s for terms in scenes))
        for terms in scenes:
            timeline = Timeline()
            brief = bool(timelines)
            timeline.add(0.0, BOTH, "introduced", **introduction(terms, brief=brief))
            timelines.append(timeline)
            codes.append(_show_scene(terms, wishes, stack, timeline, check))
            if _was_broken_off(timeline):
                break
    if wishes.as_json:
        print(json.dumps(document(timelines)), flush=True)
    return next(code for code in _WEIGHTIEST_FIRST if code in codes)


def _show_scene(
    terms: Terms, wishes: Wishes, stack: Stack, timeline: Timeline, check: Check
) -> int:
    with closing(_renderer(wishes)) as renderer:
        code, trouble = _perform(terms, stack, timeline, renderer, check)
        complete = bool(timeline.of(BOTH, "judged"))
        ended = {"complete": complete, "ok": code == EXIT_HELD, "trouble": trouble}
        timeline.add(0.0, BOTH, "ended", **ended)
        renderer.finish(timeline)
    if trouble is not None:
        print(f"cycles demo runaway: {trouble}", file=sys.stderr)
    if wishes.plot is not None and complete and terms.scene == RACE:
        plot = SceneReading.of(timeline).plot()
        assert plot is not None  # the race has one
        wishes.plot.write_text(svg.draw(plot), encoding="utf-8")
    return code


def _was_broken_off(timeline: Timeline) -> bool:
    ended = timeline.last(BOTH, "ended")
    return ended is not None and not ended["complete"]


def _perform(
    terms: Terms,
    stack: Stack,
    timeline: Timeline,
    renderer: Renderer,
    check: Check,
) -> tuple[int, str | None]:
    """Return the exit code, and the sentence that explains one that is not about the claims."""
    if terms.engine.missing:
        return EXIT_ENVIRONMENT, terms.engine.missing
    try:
        renderer.update(timeline)
        with (
            RunningStack(stack, check) as running,
            closing(prepare(terms, timeline, renderer, running)) as scene,
        ):
            scene.run()
            return conclude(scene)
    except StoppedError:
        return EXIT_INTERRUPTED, _broken_off(timeline)
    except StackError as trouble:
        return EXIT_ENVIRONMENT, str(trouble)
    except CyclesError as trouble:
        return EXIT_ENVIRONMENT, f"The Cycles server does not answer as it should: {trouble}."


def _broken_off(timeline: Timeline) -> str:
    reading = SceneReading.of(timeline)
    return f"interrupted after {reading.now:.1f} s; nothing was judged."


def _checker(interruptions: Interruptions, timeout_s: float) -> Check:
    """Return what raises when somebody asked to stop or when the time is over."""
    end = time.monotonic() + timeout_s

    def check() -> None:
        interruptions.check()
        if time.monotonic() > end:
            raise StackError(f"It took longer than the {timeout_s:g} s of --timeout.")

    return check


def _renderer(wishes: Wishes) -> Renderer:
    """Return the live view where there is a terminal for it, unless something else is wished."""
    if wishes.as_json:
        return Silence()
    console = Console()
    live = console.is_terminal and not console.is_dumb_terminal
    if live and not wishes.plain and not os.environ.get("NO_COLOR"):
        return LiveRenderer(console)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a tick that a pipe cannot carry is no failure
    return PlainRenderer(Console(no_color=True, color_system=None, highlight=False))
