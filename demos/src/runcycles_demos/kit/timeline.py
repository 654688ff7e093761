"""Everything that happens in a demo is one event in one list; whoever shows it reads that list."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact: when, in seconds since both lanes were told to go; in which lane; and what."""

    t: float
    lane: str
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]


class Timeline:
    """The events in the order in which they became known."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def add(self, t: float, lane: str, kind: str, **facts: Any) -> Event:
        """Append a fact and return it as an event."""
        event = Event(t=t, lane=lane, kind=kind, facts=facts)
        self._events.append(event)
        return event

    def since(self, index: int) -> list[Event]:
        """Return the events from a position on."""
        return self._events[index:]

    def of(self, lane: str, kind: str) -> list[Event]:
        """Return the events of one kind in one lane."""
        return [event for event in self._events if event.lane == lane and event.kind == kind]

    def last(self, lane: str, kind: str) -> Event | None:
        """Return the latest event of one kind in one lane."""
        for event in reversed(self._events):
            if event.lane == lane and event.kind == kind:
                return event
        return None
