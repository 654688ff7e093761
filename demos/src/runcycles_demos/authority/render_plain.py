"""A scene as plain lines: for pipes, logs, and whoever prefers to read."""

from rich.console import Console

from runcycles_demos.authority.actions import TOOLS
from runcycles_demos.authority.reading import SceneReading
from runcycles_demos.authority.screens import answer_words, effect_words, last_screen, short
from runcycles_demos.authority.world.effects import EMAIL, NOTE, REVIEW, STATUS
from runcycles_demos.kit.screens import first_screen, print_plain
from runcycles_demos.kit.timeline import Event, Timeline

_EFFECTS = {EMAIL: "e-mail", NOTE: "note", STATUS: "status", REVIEW: "for a human"}
_TOOL = max(map(len, TOOLS))


class PlainRenderer:
    """Prints one line per event of interest, and never takes one back."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._reading = SceneReading()
        self._introduced = False
        self._told: set[str] = set()  # keys of questions; another attempt is not told

    def update(self, timeline: Timeline) -> None:
        """Print what is new and of interest."""
        new = self._reading.catch_up(timeline)
        if not self._introduced:
            self._introduced = True
            print_plain(self._console, first_screen(self._reading.intro))
        for event in new:
            if words := self._words(event):
                line = f"{event.t:6.2f} s  {words}"
                self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    def finish(self, timeline: Timeline) -> None:
        """Print the last screen, if there is something to say."""
        self.update(timeline)
        if self._reading.verdicts:
            self._console.print()
            print_plain(self._console, last_screen(self._reading))
            self._console.print()

    def close(self) -> None:
        """Nothing is open."""

    def _words(self, event: Event) -> str | None:
        match event.kind:
            case "asked" if event["key"] not in self._told:
                self._told.add(event["key"])
                return f"{'asks':<9} {event['tool']:<{_TOOL}} {answer_words(event)}"
            case "effect":
                return f"{'WORLD':<9} {_EFFECTS[event['effect']]} {effect_words(event)}"
            case "operator_action":
                words = f"{event['action']} {short(event['target'])}: {event['reason']}"
                return f"{'OPERATOR':<9} {words}"
            case "server_stopped":
                return f"{'SERVER':<9} is stopped"
            case "run_ended":
                return f"{'agent':<9} ends: {event['said']}"
            case _:
                return None
