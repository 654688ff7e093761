"""What the events add up to so far; every renderer reads a scene through this."""

from dataclasses import dataclass, field
from typing import Any, Self

from runcycles.types import MICROCENTS_PER_USD
from runcycles_demos.kit.curves import Curve, Mark, Plot
from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.timeline import Event, Timeline
from runcycles_demos.runaway.terms import (
    DRY_RUN,
    GUARDED,
    LIMIT,
    OBSERVED,
    RACE,
    SHADOW,
    TOKENS,
    UNGUARDED,
)

_HEADROOM = 1.0
NAMES = {
    UNGUARDED: "without Cycles",
    GUARDED: "with Cycles",
    OBSERVED: "shadow mode",
    DRY_RUN: "dry run alone",
}
_TITLES = {
    RACE: "The same agent twice at once: what the provider billed",
    TOKENS: "An agent that pays by the token: what the provider billed",
}


@dataclass(slots=True, kw_only=True)
class LaneReading:
    """One lane as far as the events tell of it."""

    requests: int = 0
    billed: int = 0  # microcents
    step: str = ""
    score: float | None = None
    now: float = 0.0
    read: list[tuple[float, int]] = field(default_factory=list)  # the meter, as it was read
    calls: list[tuple[float, int]] = field(default_factory=list)  # the meter's own list of calls
    would_refuse: list[int] = field(default_factory=list)  # calls that ran all the same
    ledger: Event | None = None
    summed: Event | None = None
    denied: Event | None = None
    stopped: Event | None = None

    def take(self, event: Event) -> None:
        """Add one event."""
        match event.kind:
            case "call_started":
                self.step = event["step"]
            case "call_finished" if "score" in event.facts:
                self.score = event["score"]
            case "bill_read":
                self.requests, self.billed = event["requests"], event["microcents"]
                self.read.append((event.t, self.billed))
            case "call_billed":
                self.calls.append((event.t, event["microcents"]))
            case "asked" if event["op"] == "dry_run" and event["refused"]:
                self.would_refuse.append(event["call"])
            case "summed":
                self.summed = event
            case "ledger_read":
                self.ledger = event
            case "reserve_denied":
                self.denied = event
            case "lane_stopped":
                self.stopped = event
            case _:
                pass

    @property
    def steps(self) -> list[tuple[float, int]]:
        """When the bill rose to what: call by call if that is known, otherwise as it was read."""
        return self.calls or self.read

    @property
    def seconds(self) -> float:
        """How long the lane has run."""
        return float(self.stopped["seconds"]) if self.stopped else self.now

    @property
    def per_minute(self) -> int:
        """Microcents a minute so far."""
        return round(self.billed / self.seconds * 60) if self.seconds > 0 else 0


class SceneReading:
    """All lanes, the introduction and the end, read from the timeline."""

    def __init__(self) -> None:
        self.lanes: dict[str, LaneReading] = {}
        self.intro: dict[str, Any] = {}
        self.verdicts: list[Event] = []
        self.said: dict[str, Event] = {}  # the latest event of each kind that is not a lane's
        self.now = 0.0
        self._seen = 0

    @classmethod
    def of(cls, timeline: Timeline) -> Self:
        """Return the reading of everything so far."""
        reading = cls()
        reading.catch_up(timeline)
        return reading

    @property
    def scene(self) -> str:
        """Its name."""
        return str(self.intro["scene"])

    def catch_up(self, timeline: Timeline) -> list[Event]:
        """Take the events that have come since the last time, and return them."""
        new = timeline.since(self._seen)
        self._seen += len(new)
        for event in new:
            self._take(event)
        for lane in self.lanes.values():
            lane.now = self.now
        return new

    def _take(self, event: Event) -> None:
        self.now = max(self.now, event.t)
        if event.lane in self.lanes:
            self.lanes[event.lane].take(event)
        elif event.kind == "introduced":
            self.intro = dict(event.facts)
            self.lanes = {name: LaneReading() for name in event["lanes"]}
        elif event.kind == "judged":
            self.verdicts.append(event)
        else:
            self.said[event.kind] = event

    def plot(self) -> Plot | None:
        """Return the picture: the meter's own list of calls once it is there, else its readings.

        Where all lanes are billed the same there is nothing to see.
        """
        if self.scene == SHADOW:
            return None
        cut_s = self.intro.get("cut_s")
        ends = [lane.stopped.t for lane in self.lanes.values() if lane.stopped]
        over = max(ends) if len(ends) == len(self.lanes) else self.now
        most = self.intro["unguarded_spends"] if self.scene == RACE else LIMIT * 5 // 4
        return Plot(
            title=_TITLES[self.scene],
            caption=tuple(self.intro.get("caption", ())),
            curves=tuple(self._curve(name, over) for name in self.lanes),
            limit=LIMIT / MICROCENTS_PER_USD,
            limit_text=f"limit {dollars(LIMIT)}",
            mark=self._mark(),
            seconds=max(cut_s or 0.0, over if cut_s is None else 0.0, _HEADROOM),
            top=most / MICROCENTS_PER_USD,
        )

    def _curve(self, name: str, over: float) -> Curve:
        lane = self.lanes[name]
        return Curve(
            name=NAMES[name],
            summary=f"{dollars(lane.billed)} · {lane.requests:,} calls",
            steps=tuple((t, billed / MICROCENTS_PER_USD) for t, billed in lane.steps),
            until=over,
        )

    def _mark(self) -> Mark | None:
        lane = self.lanes[GUARDED]
        if lane.denied is None:
            return None
        text = f"{lane.denied['http']}, call {lane.denied['call']}"
        return Mark(t=lane.denied.t, value=lane.billed / MICROCENTS_PER_USD, text=text)
