"""One showing, from the first screen to the exit code."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing

from runcycles import CyclesError
from runcycles_demos.kit import svg
from runcycles_demos.kit.renderers import Renderer
from runcycles_demos.kit.showing import Check, Wishes, checker, renderer, weightiest
from runcycles_demos.kit.stack import RunningStack, Stack
from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.kit.trouble import (
    EXIT_ENVIRONMENT,
    EXIT_HELD,
    EXIT_INTERRUPTED,
    Interruptions,
    StackError,
    StoppedError,
)
from runcycles_demos.runaway.aftermath import conclude
from runcycles_demos.runaway.introduction import introduction
from runcycles_demos.runaway.reading import SceneReading
from runcycles_demos.runaway.render_json import document
from runcycles_demos.runaway.render_live import LiveRenderer
from runcycles_demos.runaway.render_plain import PlainRenderer
from runcycles_demos.runaway.scene import prepare, runaway_stack
from runcycles_demos.runaway.terms import BOTH, RACE, Terms


def show(scenes: Sequence[Terms], wishes: Wishes, stack: Stack | None = None) -> int:
    """Run the scenes on this stack, or on the real one; return the exit code."""
    stack = stack or runaway_stack()
    timelines: list[Timeline] = []
    codes: list[int] = []
    with Interruptions() as interruptions:
        check = checker(interruptions, max(terms.timeout_s for terms in scenes))
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
    return weightiest(codes)


def _show_scene(
    terms: Terms, wishes: Wishes, stack: Stack, timeline: Timeline, check: Check
) -> int:
    with closing(renderer(wishes, LiveRenderer, PlainRenderer)) as screen:
        code, trouble = _perform(terms, stack, timeline, screen, check)
        complete = bool(timeline.of(BOTH, "judged"))
        ended = {"complete": complete, "ok": code == EXIT_HELD, "trouble": trouble}
        timeline.add(0.0, BOTH, "ended", **ended)
        screen.finish(timeline)
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
    screen: Renderer,
    check: Check,
) -> tuple[int, str | None]:
    """Return the exit code, and the sentence that explains one that is not about the claims."""
    if terms.engine.missing:
        return EXIT_ENVIRONMENT, terms.engine.missing
    try:
        screen.update(timeline)
        with (
            RunningStack(stack, check) as running,
            closing(prepare(terms, timeline, screen, running)) as scene,
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
