"""A scene as plain lines: for pipes, logs, and whoever prefers to read."""

from rich.console import Console

from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.screens import first_screen, print_plain
from runcycles_demos.kit.timeline import Event, Timeline
from runcycles_demos.runaway.reading import NAMES, SceneReading
from runcycles_demos.runaway.screens import last_screen

_NAME = max(map(len, NAMES.values()))
_START = {1: "the agent starts", 2: "both agents start", 3: "all three agents start"}


class PlainRenderer:
    """Prints one line per event of interest, and never takes one back."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._reading = SceneReading()
        self._introduced = False
        self._told: dict[str, int] = {}  # how many parts of each bill

    def update(self, timeline: Timeline) -> None:
        """Print what is new and of interest."""
        new = self._reading.catch_up(timeline)
        if not self._introduced:
            self._introduced = True
            print_plain(self._console, first_screen(self._reading.intro))
        for event in new:
            if line := self._line(event):
                self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    def finish(self, timeline: Timeline) -> None:
        """Print the last screen, if there is something to say."""
        self.update(timeline)
        if self._reading.verdicts:
            self._console.print()
            print_plain(self._console, last_screen(self._reading))

    def close(self) -> None:
        """Nothing is open."""

    def _line(self, event: Event) -> str | None:
        match event.kind:
            case "ready":
                words = _START[len(self._reading.lanes)]
            case "bill_read":
                words = self._bill(event)
            case "asked" if self._reading.lanes[event.lane].would_refuse[:1] == [event["call"]]:
                words = self._would_refuse(event)
            case "reserve_denied":
                words = (
                    f"call {event['call']} refused: {event['http']} {event['error']} "
                    f"at {event['scope']}; its body never ran"
                )
            case "lane_stopped":
                words = self._stop(event)
            case _:
                return None
        return f"{event.t:6.2f} s  {NAMES.get(event.lane, ''):<{_NAME}}  {words}" if words else None

    def _bill(self, event: Event) -> str:
        """Every dollar, or whatever the scene tells a line for, is told once."""
        parts = event["microcents"] // self._reading.intro["tell_every"]
        if parts <= self._told.get(event.lane, 0):
            return ""
        self._told[event.lane] = parts
        return f"{dollars(event['microcents'])} billed, {event['requests']:,} calls"

    def _would_refuse(self, event: Event) -> str:
        """The first one is told, once it is known."""
        if not event.facts.get("refused"):
            return ""
        return f"call {event['call']} would have been refused: {event['refused']}; it runs"

    def _stop(self, event: Event) -> str:
        how = "cut off" if event["by"] == "cutoff" else "stopped"
        return f"{how} after {event['seconds']:.2f} s and {event['answered']:,} calls"
