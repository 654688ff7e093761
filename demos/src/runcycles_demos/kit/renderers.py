"""What a renderer is: it is handed a growing timeline and shows what it finds there."""

from typing import Protocol

from runcycles_demos.kit.timeline import Timeline


class Renderer(Protocol):
    """Shows a demo; reads nothing but the timeline."""

    def update(self, timeline: Timeline) -> None:
        """Show what is new; called many times a second."""
        ...

    def finish(self, timeline: Timeline) -> None:
        """Show the end, of a demo that was broken off too; called once."""
        ...

    def close(self) -> None:
        """Give back the terminal, whatever has happened."""
        ...
