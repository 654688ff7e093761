"""What the events add up to so far; screens and assertions read a scene through this."""

from dataclasses import dataclass, field
from typing import Any, Self

from runcycles import Unit
from runcycles_demos.authority.actions import READ, actions
from runcycles_demos.authority.terms import BOTH
from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.timeline import Event, Timeline


@dataclass(slots=True, kw_only=True)
class TurnReading:
    """One tool call that the model wanted, as far as the events tell of it."""

    wanted: Event
    lane: str
    arguments: dict[str, str]
    asked: Event | None = None  # the last attempt to ask
    entered: int = 0
    told: str | None = None

    @property
    def tool(self) -> str:
        """Its name."""
        return self.arguments["tool"]

    @property
    def refused(self) -> bool:
        """Whether it was asked for and not permitted."""
        return self.asked is not None and not self.asked["allowed"]


@dataclass(slots=True, kw_only=True)
class RunReading:
    """One run of an agent. The n-th question is about the n-th call that the model wanted."""

    lane: str
    run_id: str
    began: float
    turns: list[TurnReading] = field(default_factory=list)
    ended: Event | None = None
    _keys: list[str] = field(default_factory=list)
    _bodies: int = 0

    def take(self, event: Event) -> None:
        """Add one event."""
        match event.kind:
            case "model_asked":
                if self.turns:
                    self.turns[-1].told = event["told"]
                self.turns += [
                    TurnReading(wanted=event, lane=self.lane, arguments=wants)
                    for wants in event["wants"]
                ]
            case "asked":
                if event["key"] not in self._keys:
                    self._keys.append(event["key"])
                if turn := self._turn(self._keys.index(event["key"])):
                    turn.asked = event
            case "body_entered":
                self._bodies += 1
                if turn := self._current():
                    turn.entered += 1
            case "run_ended":
                self.ended = event
            case _:
                pass

    def _current(self) -> TurnReading | None:
        """The call whose body this is: of the last question, or, where nobody asks, the next."""
        return self._turn((len(self._keys) or self._bodies) - 1)

    def _turn(self, index: int) -> TurnReading | None:
        return self.turns[index] if index < len(self.turns) else None


class SceneReading:
    """All runs, the world, the operator, the introduction and the end."""

    def __init__(self) -> None:
        self.intro: dict[str, Any] = {}
        self.runs: list[RunReading] = []
        self.effects: list[Event] = []
        self.actions: list[Event] = []
        self.verdicts: list[Event] = []
        self.ledger: dict[str, tuple[int, int, str]] = {}  # by scope: gone, given, unit
        self.counters: dict[str, tuple[int, int]] = {}  # by run: used, and the limit
        self.said: dict[str, Event] = {}  # the latest event of each other kind
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

    @property
    def turns(self) -> list[TurnReading]:
        """The tool calls of all runs, in the order in which the model wanted them."""
        every = [turn for run in self.runs for turn in run.turns]
        return sorted(every, key=lambda turn: turn.wanted.t)

    @property
    def refused(self) -> list[TurnReading]:
        """The calls that were not permitted."""
        return [turn for turn in self.turns if turn.refused]

    def effects_of(self, kind: str) -> list[Event]:
        """Return what has happened of one kind."""
        return [event for event in self.effects if event["effect"] == kind]

    def used_of(self, tool: str) -> str:
        """Return what is gone of a tool's quota, of its own budget, or of that of all tools."""
        if self.runs and tool in self.intro["quotas"]:
            used, limit = self.counters.get(self.runs[-1].run_id, (0, self.intro["quotas"][tool]))
            return f"{used} of {limit}"
        own = f"/toolset:{actions()[tool].toolset}"
        found = [told for scope, told in self.ledger.items() if scope.endswith(own)] or [
            told for told in self.ledger.values() if told[-1] == Unit.RISK_POINTS
        ]
        if not found or tool == READ:
            return ""
        gone, given = sum(each[0] for each in found), sum(each[1] for each in found)
        if found[0][-1] == Unit.RISK_POINTS:
            return f"{gone} of {given}"
        return f"{dollars(gone)} of {dollars(given)}"

    def catch_up(self, timeline: Timeline) -> list[Event]:
        """Take the events that have come since the last time, and return them."""
        new = timeline.since(self._seen)
        self._seen += len(new)
        for event in new:
            self._take(event)
        return new

    def _take(self, event: Event) -> None:
        self.now = max(self.now, event.t)
        if event.kind == "run_started":
            self.runs.append(RunReading(lane=event.lane, run_id=event["run_id"], began=event.t))
        elif event.lane != BOTH:
            for run in [run for run in self.runs if run.lane == event.lane][-1:]:
                run.take(event)
        elif event.kind == "introduced":
            self.intro = dict(event.facts)
        elif event.kind == "effect":
            self.effects.append(event)
        elif event.kind == "operator_action":
            self.actions.append(event)
        elif event.kind == "judged":
            self.verdicts.append(event)
        elif event.kind == "ledger_read":
            self.ledger |= {scope: tuple(told) for scope, told in event["scopes"].items()}
        elif event.kind == "counters_read":
            self.counters |= event["counters"]
        else:
            self.said[event.kind] = event
