"""One scene: the same agent in each of its lanes, all at once, followed until all have stopped."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from runcycles_demos.kit.engines import QUIET, kept_in
from runcycles_demos.kit.meter import Bill, Meter
from runcycles_demos.kit.processes import Child, Command
from runcycles_demos.kit.renderers import Renderer
from runcycles_demos.kit.stack import Authority, RunningStack, Stack, authority_of
from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.runaway.terms import (
    BOTH,
    LANES,
    OBSERVED,
    SUBJECT,
    UNGUARDED,
    Terms,
)
from runcycles_demos.runaway.witnesses import LedgerWitness, check_budgets, give_budgets

_TICK_S = 0.02
_METER_S = 0.1  # how often the bill is read while a scene runs
_LEDGER_S = 0.25
_IMPORTED_S = 90.0  # some frameworks take long to import, most of all several times at once
_LANE = "runcycles_demos.runaway.lane"


def runaway_stack() -> Stack:
    """Return the real thing: the scripted model, our server, and the agent in every lane."""
    return Stack(
        agents={
            lane: Command(module=_LANE, arguments=("--lane", lane), environment=QUIET)
            for lane in LANES
        }
    )


@dataclass(slots=True, kw_only=True)
class _Pulse:
    """Says when something is due again."""

    every_s: float
    due: float = 0.0

    def beats(self, now: float) -> bool:
        if now < self.due:
            return False
        self.due = now + self.every_s
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The Cycles server of one lane, and what can be read of it from outside."""

    authority: Authority
    ledger: LedgerWitness
    access_log: Path


@dataclass(slots=True, kw_only=True)
class Scene:
    """All lanes while they run. Everything that is learnt goes into the timeline."""

    terms: Terms
    timeline: Timeline
    renderer: Renderer
    stack: RunningStack
    meter: Meter
    books: dict[str, Books]  # by lane; an unguarded one has none
    lanes: dict[str, Child] = field(default_factory=dict)
    began: float = 0.0

    def run(self) -> None:
        """Tell all lanes to go, and follow them until the last one has stopped.

        Raises:
            StackError: a process died, or it took too long.
            StoppedError: somebody asked to stop.
        """
        self.began = time.monotonic()
        for child in self.lanes.values():
            child.say("go")
        meter, ledger = _Pulse(every_s=_METER_S), _Pulse(every_s=_LEDGER_S)
        running = list(self.lanes)
        while running:
            now = time.monotonic()
            if meter.beats(now):
                self.read_bill()
            if ledger.beats(now):
                for lane in running:
                    self.read_ledger(lane)
            for lane in [lane for lane in running if self._listen(lane)]:
                running.remove(lane)
                self.read_ledger(lane)
            self.renderer.update(self.timeline)
            self.stack.check()
            time.sleep(max(0.0, now + _TICK_S - time.monotonic()))
        self.read_bill()
        self.renderer.update(self.timeline)

    def close(self) -> None:
        """Close the connections to the witnesses."""
        self.meter.close()
        for books in self.books.values():
            books.ledger.close()

    def now(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.began

    def read_bill(self) -> None:
        """Ask the provider's meter what it has billed so far."""
        bills, now = self.meter.read(), self.now()
        for lane in self.lanes:
            bill = bills.get(lane, Bill())
            self.timeline.add(
                now, lane, "bill_read", requests=bill.requests, microcents=bill.microcents
            )

    def read_ledger(self, lane: str) -> None:
        """Ask the ledger of a lane, if it has one, what it has seen."""
        if lane in self.books:
            tenant = self.books[lane].ledger.tenant()
            seen = {"spent": tenant.spent, "reserved": tenant.reserved}
            self.timeline.add(self.now(), lane, "ledger_read", **seen)

    def _listen(self, lane: str) -> bool:
        """Take down what the lane has told; return whether it has stopped."""
        child = self.lanes[lane]
        ended = child.ended  # before the last lines are read, so that none can be missed
        for line in child.heard():
            told = json.loads(line)
            kind, t = told.pop("kind"), told.pop("t")
            self.timeline.add(t - self.began, lane, kind, **told)
        stopped = self.timeline.last(lane, "lane_stopped") is not None
        if ended and not stopped:
            raise child.trouble("ended in the middle of its work")
        return stopped


def prepare(
    terms: Terms,
    timeline: Timeline,
    renderer: Renderer,
    stack: RunningStack,
) -> Scene:
    """Start everything that a scene needs, up to agents that wait for the word.

    Raises:
        StackError: something did not start, or the budgets could not be made.
        StoppedError: somebody asked to stop.
    """
    model = stack.start_model(*_model_arguments(terms))
    servers = {
        lane: stack.start_authority(f"authority-{lane}")
        for lane in terms.lanes
        if lane != UNGUARDED
    }
    model_url = stack.ready(model)["base_url"]
    books = {lane: _open_books(stack, server) for lane, server in servers.items()}
    scene = Scene(
        terms=terms,
        timeline=timeline,
        renderer=renderer,
        stack=stack,
        meter=Meter(model_url),
        books=books,
    )
    for lane in terms.lanes:
        scene.lanes[lane] = stack.start(lane, _lane_command(scene, lane, f"{model_url}/{lane}/v1"))
    for child in scene.lanes.values():
        stack.ready(child, within_s=_IMPORTED_S)
    timeline.add(0.0, BOTH, "ready")
    return scene


def _model_arguments(terms: Terms) -> tuple[str, ...]:
    price = ("--price", "tokens") if terms.by_tokens else ("--request-microcents", str(terms.price))
    return ("--period-ms", str(terms.period_ms), "--seed", str(terms.seed), *price)


def _open_books(stack: RunningStack, server: Child) -> Books:
    """Wait for a server, and give its tenant the budgets of the scene."""
    authority = authority_of(stack.ready(server))
    give_budgets(authority)
    ledger = LedgerWitness(authority)
    check_budgets(ledger, authority)
    return Books(authority=authority, ledger=ledger, access_log=stack.access_log(server.name))


def _lane_command(scene: Scene, lane: str, model_url: str) -> Command:
    """All lanes get the same arguments; only one that is not bare is told where Cycles is."""
    terms, folder = scene.terms, str(scene.stack.folder)
    cut = ("--cut-s", terms.cut_s) if terms.cut_s is not None else ("--cut-calls", terms.calls)
    counted = ("--by-tokens",) if terms.by_tokens else ()
    arguments = ("--engine", terms.engine.name, "--price", terms.price, *cut, *counted)
    settings = kept_in(folder)
    if lane in scene.books:
        settings |= scene.books[lane].authority.environment(SUBJECT)
    if lane == OBSERVED:
        settings["CYCLES_MODE"] = "shadow"  # apart from this, it is the guarded lane
    command = scene.stack.stack.agents[lane]
    return command.plus("--model-url", model_url, *map(str, arguments), **settings)
