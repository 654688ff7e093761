"""A scene as it happens, in a terminal: its lanes, and the curves of their bills.

Side by side where there is room, stacked where there is not.
"""

from functools import reduce

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from runcycles_demos.kit.boxes import beside
from runcycles_demos.kit.chart import draw
from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.screens import DIM, first_screen
from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.runaway.lane_boxes import lane_box
from runcycles_demos.runaway.reading import NAMES, SceneReading
from runcycles_demos.runaway.screens import STYLES, last_screen
from runcycles_demos.runaway.terms import LIMIT

_FRAME_S = 0.1
_LANE = 43  # a lane narrower than this goes below the others
_WIDEST = 130  # beyond this a chart gets no clearer
_LEAST_CHART, _MOST_CHART = 5, 18


class LiveRenderer:
    """Redraws a scene ten times a second, then prints the last screen below it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._reading = SceneReading()
        self._live: Live | None = None
        self._drawn_at = -_FRAME_S

    def update(self, timeline: Timeline) -> None:
        """Take what is new; the introduction first, then a frame whenever one is due."""
        self._reading.catch_up(timeline)
        if self._live is None:
            self._console.print(first_screen(self._reading.intro))
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        if self._reading.now - self._drawn_at >= _FRAME_S:
            self._drawn_at = self._reading.now
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

    def close(self) -> None:
        """Give the terminal back, whatever has happened."""
        if self._live is not None:
            self._live.stop()

    def _frame(self) -> RenderableType:
        return Group(*frame(self._reading, self._console.width, self._console.height))


def frame(reading: SceneReading, width: int, height: int) -> list[Text]:
    """Return one picture of a scene, no line wider than the screen and no more lines than it."""
    lines = _lines(reading, min(width, _WIDEST), height)
    for line in lines:
        line.truncate(width)
    return lines[:height]


def _lines(reading: SceneReading, width: int, height: int) -> list[Text]:
    lanes = _lanes(reading, width)
    plot, room = reading.plot(), min(_MOST_CHART, height - len(lanes) - 2)
    if plot is None or room < _LEAST_CHART:
        return lanes
    styles = tuple(STYLES[name] for name in reading.lanes)
    marks = ("──", "╴╴")
    legend = Text.assemble(
        (" billed by the provider", DIM),
        *(
            (f"   {mark} {NAMES[name]}", STYLES[name])
            for mark, name in zip(marks, reading.lanes, strict=False)
        ),
        (f"   ╌ ╌ limit {dollars(LIMIT)}", DIM),
        no_wrap=True,
    )
    return [*lanes, legend, *draw(plot, width=width, height=room, styles=styles, dim=DIM)]


def _lanes(reading: SceneReading, width: int) -> list[Text]:
    """All lanes beside each other, or below each other."""
    count = len(reading.lanes)
    if width < count * _LANE:
        return [
            line for name, lane in reading.lanes.items() for line in lane_box(name, lane, width)
        ]
    widths = [width * (at + 1) // count - width * at // count for at in range(count)]
    boxes = [
        lane_box(name, lane, wide)
        for (name, lane), wide in zip(reading.lanes.items(), widths, strict=True)
    ]
    return reduce(beside, boxes)
