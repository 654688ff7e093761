"""A scene as it happens, in a terminal: the agent, the world and the authority.

Agent and world are beside each other where there is room, and below each other where there is not.
"""

import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from runcycles_demos.authority.panels import (
    AUTHORITY_LINES,
    WORLD_LINES,
    agent_box,
    authority_box,
    world_box,
)
from runcycles_demos.authority.reading import SceneReading
from runcycles_demos.authority.screens import last_screen
from runcycles_demos.kit.boxes import beside
from runcycles_demos.kit.screens import first_screen
from runcycles_demos.kit.timeline import Timeline

_FRAME_S = 0.1
_BESIDE = 96  # on a narrower screen the world goes below the agent
_WIDEST = 140
_LEAST, _MOST = 4, 14  # lines of the agent's frame


class LiveRenderer:
    """Redraws a scene ten times a second, then prints its sentences below."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._reading = SceneReading()
        self._live: Live | None = None
        self._drawn_at = 0.0

    def update(self, timeline: Timeline) -> None:
        """Take what is new; the introduction first, then a frame whenever one is due."""
        self._reading.catch_up(timeline)
        if self._live is None:
            self._console.print(first_screen(self._reading.intro))
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        now = time.monotonic()
        if now - self._drawn_at >= _FRAME_S:
            self._drawn_at = now
            self._live.update(self._frame(), refresh=True)

    def finish(self, timeline: Timeline) -> None:
        """Draw the last frame, and below it what all of it comes to."""
        self._reading.catch_up(timeline)
        if self._live is not None:
            self._live.update(self._frame(), refresh=True)
            self._live.stop()
        if self._reading.verdicts:
            self._console.print(Text())
            self._console.print(last_screen(self._reading))
            self._console.print(Text())

    def close(self) -> None:
        """Give the terminal back, whatever has happened."""
        if self._live is not None:
            self._live.stop()

    def _frame(self) -> RenderableType:
        return Group(*frame(self._reading, self._console.width, self._console.height))


def frame(reading: SceneReading, width: int, height: int) -> list[Text]:
    """Return one picture of a scene, no line wider than the screen and no more lines than it."""
    wide = min(width, _WIDEST)
    room = height - AUTHORITY_LINES - 1
    if wide >= _BESIDE:
        tall = max(_LEAST, min(_MOST, room))
        left = wide * 9 // 16  # a refusal's code is longer than most of what happens
        above = beside(agent_box(reading, left, tall), world_box(reading, wide - left, tall))
    else:
        tall = max(_LEAST, min(_MOST, room - WORLD_LINES))
        above = [*agent_box(reading, wide, tall), *world_box(reading, wide, WORLD_LINES)]
    lines = [*above, *authority_box(reading, wide)]
    for line in lines:
        line.truncate(width)
    return lines[:height]
