"""One showing, from the first screen to the exit code."""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from runcycles import CyclesError
from runcycles_demos.authority.assertions import judge
from runcycles_demos.authority.facts import Agent, Expected
from runcycles_demos.authority.gathering import gather
from runcycles_demos.authority.introduction import introduction
from runcycles_demos.authority.operator import Operator
from runcycles_demos.authority.plot import plot
from runcycles_demos.authority.reading import SceneReading
from runcycles_demos.authority.render_json import document
from runcycles_demos.authority.render_live import LiveRenderer
from runcycles_demos.authority.render_plain import PlainRenderer
from runcycles_demos.authority.scenes import SCENES
from runcycles_demos.authority.screens import matrix
from runcycles_demos.authority.stage import Stage
from runcycles_demos.authority.terms import (
    AGENT_LANE,
    BOTH,
    NEXT_EMAIL,
    OTHER_LANE,
    STOP_ALL,
    UNGATED,
    Terms,
)
from runcycles_demos.authority.world.world import World
from runcycles_demos.kit import svg
from runcycles_demos.kit.engines import QUIET, kept_in
from runcycles_demos.kit.processes import Child, Command
from runcycles_demos.kit.renderers import Renderer
from runcycles_demos.kit.showing import Check, Wishes, checker, renderer, show_screen, weightiest
from runcycles_demos.kit.stack import RunningStack, Stack, authority_of
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

_IMPORTED_S = 90.0  # some frameworks take long to import
_LANE = "runcycles_demos.authority.lane"


def authority_stack() -> Stack:
    """Return the real thing: our server, and the agent."""
    agent = Command(module=_LANE, environment=QUIET)
    return Stack(agents={AGENT_LANE: agent, OTHER_LANE: agent})


def show(scenes: Sequence[Terms], wishes: Wishes, stack: Stack | None = None) -> int:
    """Play the scenes on this stack, or on the real one; return the exit code."""
    timelines: list[Timeline] = []
    codes: list[int] = []
    with Interruptions() as interruptions:
        check = checker(interruptions, max(terms.timeout_s for terms in scenes))
        with ExitStack() as exits:
            cast = _Cast(stack or authority_stack(), scenes, check, exits)
            for terms in scenes:
                timeline = Timeline()
                brief = bool(timelines)
                timeline.add(0.0, BOTH, "introduced", **introduction(terms, brief=brief))
                timelines.append(timeline)
                codes.append(_show_scene(terms, wishes, cast, timeline))
                if not timeline.of(BOTH, "judged"):
                    break
    readings = [SceneReading.of(timeline) for timeline in timelines]
    if len(readings) > 1:
        show_screen(wishes, matrix(readings))
    if wishes.as_json:
        print(json.dumps(document(timelines)), flush=True)
    return weightiest(codes)


@dataclass(slots=True)
class _Cast:
    """What is started once and plays in all scenes."""

    stack: Stack
    scenes: Sequence[Terms]
    check: Check
    exits: ExitStack
    ungated: Agent | None = None
    running: RunningStack | None = None
    lanes: dict[str, Child] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    operator: Operator | None = None

    def assemble(self) -> tuple[RunningStack, Operator]:
        """Start the server and the agents, unless they are there already.

        Raises:
            StackError: something did not start.
            StoppedError: somebody asked to stop.
        """
        if self.running is None or self.operator is None:
            self.running = self.exits.enter_context(RunningStack(self.stack, self.check))
            server = self.running.start_authority()
            kept = kept_in(str(self.running.folder))
            engine = self.scenes[0].engine
            both = STOP_ALL in [terms.scene for terms in self.scenes]
            for lane in (AGENT_LANE, OTHER_LANE) if both else (AGENT_LANE,):
                command = self.stack.agents[lane].plus("--engine", engine.name, **kept)
                self.lanes[lane] = self.running.start(lane, command)
            authority = authority_of(self.running.ready(server))
            self.operator = self.exits.enter_context(closing(Operator(authority)))
            for lane, child in self.lanes.items():
                self.codes[lane] = self.running.ready(child, within_s=_IMPORTED_S)["code"]
        return self.running, self.operator


def _show_scene(terms: Terms, wishes: Wishes, cast: _Cast, timeline: Timeline) -> int:
    with closing(renderer(wishes, LiveRenderer, PlainRenderer)) as screen:
        code, trouble = _perform(terms, cast, timeline, screen)
        complete = bool(timeline.of(BOTH, "judged"))
        ended = {"complete": complete, "ok": code == EXIT_HELD, "trouble": trouble}
        timeline.add(0.0, BOTH, "ended", **ended)
        screen.finish(timeline)
    if trouble is not None:
        print(f"cycles demo authority: {trouble}", file=sys.stderr)
    if wishes.plot is not None and complete and terms.scene == NEXT_EMAIL:
        wishes.plot.write_text(svg.draw(plot(SceneReading.of(timeline))), encoding="utf-8")
    return code


def _perform(
    terms: Terms, cast: _Cast, timeline: Timeline, screen: Renderer
) -> tuple[int, str | None]:
    """Return the exit code, and the sentence that explains one that is not about the claims."""
    if terms.engine.missing:
        return EXIT_ENVIRONMENT, terms.engine.missing
    try:
        screen.update(timeline)
        running, operator = cast.assemble()
        scene = SCENES[terms.scene]
        with ExitStack() as exits:
            stage = Stage(
                terms=terms,
                timeline=timeline,
                screen=screen,
                stack=running,
                lanes=cast.lanes,
                operator=operator,
                world=exits.enter_context(World(scene.cases(terms))),
                exits=exits,
            )
            return _judged(stage, cast, scene.play(stage))
    except StoppedError:
        seconds = SceneReading.of(timeline).now
        return EXIT_INTERRUPTED, f"interrupted after {seconds:.1f} s; nothing was judged."
    except StackError as trouble:
        return EXIT_ENVIRONMENT, str(trouble)
    except CyclesError as trouble:
        return EXIT_ENVIRONMENT, f"The Cycles server does not answer as it should: {trouble}."


def _judged(stage: Stage, cast: _Cast, expected: Expected) -> tuple[int, None]:
    facts = gather(stage, expected, code=cast.codes[AGENT_LANE], ungated=cast.ungated)
    if stage.terms.scene == UNGATED:
        cast.ungated = facts.agent
    verdicts = judge(facts)
    for verdict in verdicts:
        stage.timeline.add(stage.now(), BOTH, "judged", **verdict.as_json())
    return EXIT_FAILED if any(verdict.ok is False for verdict in verdicts) else EXIT_HELD, None
