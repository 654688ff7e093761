"""The race: the same agent twice at once, and what the witnesses say of it afterwards."""

import json
import time
from dataclasses import dataclass, field

from runcycles_demos.kit.meter import Bill, Meter
from runcycles_demos.kit.processes import Child, Command
from runcycles_demos.kit.renderers import Renderer
from runcycles_demos.kit.stack import Authority, RunningStack, Stack
from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.kit.trouble import StackError
from runcycles_demos.runaway.terms import (
    BOTH,
    CALLS,
    GUARDED,
    LANES,
    SUBJECT,
    UNGUARDED,
    Terms,
)
from runcycles_demos.runaway.witnesses import LedgerWitness, check_budgets, give_budgets

_TICK_S = 0.02
_METER_S = 0.1  # how often the bill is read while the race runs
_LEDGER_S = 0.25
_LANE = "runcycles_demos.runaway.lane"


def race_stack() -> Stack:
    """Return the real thing: the scripted model, our server, and the agent in both lanes."""
    return Stack(agents={lane: Command(module=_LANE, arguments=("--lane", lane)) for lane in LANES})


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


@dataclass(slots=True, kw_only=True)
class Race:
    """Both lanes while they run. Everything that is learnt goes into the timeline."""

    terms: Terms
    timeline: Timeline
    renderer: Renderer
    stack: RunningStack
    authority: Authority
    meter: Meter
    ledger: LedgerWitness
    lanes: dict[str, Child] = field(default_factory=dict)
    began: float = 0.0

    def run(self) -> None:
        """Tell both lanes to go, and follow them until both have stopped.

        Raises:
            StackError: a process died, or it took too long.
            StoppedError: somebody asked to stop.
        """
        self.began = time.monotonic()
        for child in self.lanes.values():
            child.say("go")
        meter, ledger = _Pulse(every_s=_METER_S), _Pulse(every_s=_LEDGER_S)
        running = set(LANES)
        while running:
            now = time.monotonic()
            if meter.beats(now):
                self.read_bill()
            if GUARDED in running and ledger.beats(now):
                self.read_ledger()
            for lane in sorted(running):
                if self._listen(lane):
                    running.remove(lane)
                    self.read_ledger()
            self.renderer.update(self.timeline)
            self.stack.check()
            time.sleep(max(0.0, now + _TICK_S - time.monotonic()))
        self.read_bill()
        self.renderer.update(self.timeline)

    def close(self) -> None:
        """Close the connections to the witnesses."""
        self.meter.close()
        self.ledger.close()

    def now(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.began

    def read_bill(self) -> None:
        """Ask the provider's meter what it has billed so far."""
        bills, now = self.meter.read(), self.now()
        for lane in LANES:
            bill = bills.get(lane, Bill())
            self.timeline.add(
                now, lane, "bill_read", requests=bill.requests, microcents=bill.microcents
            )

    def read_ledger(self) -> None:
        """Ask the ledger what it has seen of the guarded lane."""
        tenant = self.ledger.tenant()
        self.timeline.add(
            self.now(), GUARDED, "ledger_read", spent=tenant.spent, reserved=tenant.reserved
        )

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
) -> Race:
    """Start everything that the race needs, up to two agents that wait for the word.

    Raises:
        StackError: something did not start, or the budgets could not be made.
        StoppedError: somebody asked to stop.
    """
    model = stack.start_model("--period-ms", str(terms.period_ms), "--seed", str(terms.seed))
    authority_process = stack.start_authority()
    model_url = stack.ready(model)["base_url"]
    authority = Authority(**_of_interest(stack.ready(authority_process)))
    give_budgets(authority)
    ledger = LedgerWitness(authority)
    check_budgets(ledger, authority)
    race = Race(
        terms=terms,
        timeline=timeline,
        renderer=renderer,
        stack=stack,
        authority=authority,
        meter=Meter(model_url),
        ledger=ledger,
    )
    for lane in LANES:
        race.lanes[lane] = stack.start(lane, _lane_command(stack.stack, lane, model_url, race))
    for child in race.lanes.values():
        stack.ready(child)
    timeline.add(0.0, BOTH, "ready")
    return race


def _of_interest(told: dict[str, str]) -> dict[str, str]:
    try:
        return {name: told[name] for name in ("base_url", "api_key", "tenant", "admin_key")}
    except KeyError as exc:
        raise StackError(f"The server did not say its {exc.args[0]}.") from exc


def _lane_command(stack: Stack, lane: str, model_url: str, race: Race) -> Command:
    """Both lanes get the same arguments; only the guarded one is told where Cycles is."""
    cut_s = race.terms.cut_s
    cut = ("--cut-calls", str(CALLS)) if cut_s is None else ("--cut-s", str(cut_s))
    settings = {} if lane == UNGUARDED else race.authority.environment(SUBJECT)
    return stack.agents[lane].plus("--model-url", f"{model_url}/{lane}/v1", *cut, **settings)
