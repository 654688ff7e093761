"""The race as it happens, in a terminal: two lanes and the curve of their bills.

Side by side where there is room, stacked where there is not.
"""

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from runcycles_demos.kit.boxes import beside, box
from runcycles_demos.kit.chart import draw
from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.runaway.agent import GOOD_ENOUGH
from runcycles_demos.runaway.reading import LaneReading, RaceReading
from runcycles_demos.runaway.screens import DIM, STYLES, first_screen, last_screen
from runcycles_demos.runaway.terms import GUARDED, LIMIT, UNGUARDED

_FRAME_S = 0.1
_WIDE = 100  # two lanes fit beside each other from here on
_WIDEST = 130  # beyond this a chart gets no clearer
_LABEL = 15
_LEAST_CHART, _MOST_CHART = 5, 18


class LiveRenderer:
    """Redraws the race ten times a second, then prints the last screen below it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._reading = RaceReading()
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


def frame(reading: RaceReading, width: int, height: int) -> list[Text]:
    """Return one picture of the race, no line wider than the screen and no more lines than it."""
    lines = _lines(reading, min(width, _WIDEST), height)
    for line in lines:
        line.truncate(width)
    return lines[:height]


def _lines(reading: RaceReading, width: int, height: int) -> list[Text]:
    if width >= _WIDE:
        half = width // 2
        lanes = beside(_unguarded(reading, half), _guarded(reading, width - half))
    else:
        lanes = [*_unguarded(reading, width), *_guarded(reading, width)]
    room = min(_MOST_CHART, height - len(lanes) - 2)
    if room < _LEAST_CHART:
        return lanes
    legend = Text.assemble(
        (" billed by the provider   ", DIM),
        ("── without", STYLES[UNGUARDED]),
        ("   ╴╴ with", STYLES[GUARDED]),
        (f"   ╌ ╌ limit {dollars(LIMIT)}", DIM),
        no_wrap=True,
    )
    styles = (STYLES[UNGUARDED], STYLES[GUARDED])
    return [
        *lanes,
        legend,
        *draw(reading.plot(), width=width, height=room, styles=styles, dim=DIM),
    ]


def _row(label: str, *words: str | tuple[str, str]) -> Text:
    return Text.assemble((f"{label:<{_LABEL}}", DIM), *words, no_wrap=True)


def _bill(lane: LaneReading) -> Text:
    return _row("provider bill", (f"{dollars(lane.billed):<9}", "bold"), f"{lane.requests:,} calls")


def _step(lane: LaneReading) -> str:
    score = "" if lane.score is None else f", score {lane.score:.1f} < {GOOD_ENOUGH:.1f}"
    return lane.step + score


def _unguarded(reading: RaceReading, width: int) -> list[Text]:
    lane = reading.lanes[UNGUARDED]
    lines = [
        _bill(lane),
        _row("rate", f"{dollars(lane.per_minute // 1_000_000 * 1_000_000)}/min"),
        _row("limit", "none"),
        _row("step", _step(lane)),
    ]
    state = f"CUT OFF {lane.seconds:.2f} s" if lane.stopped else f"{lane.seconds:.1f} s"
    return box(
        lines,
        width=width,
        name="WITHOUT Cycles",
        state=state,
        foot="nothing ever said no" if lane.stopped else "",
        style=STYLES[UNGUARDED],
    )


def _guarded(reading: RaceReading, width: int) -> list[Text]:
    lane = reading.lanes[GUARDED]
    ledger, denied = lane.ledger, lane.denied
    spent = (
        f"spent {dollars(ledger['spent'])}  held {dollars(ledger['reserved'])}" if ledger else ""
    )
    lines = [_bill(lane), _row("ledger", spent)]
    if denied is None:
        lines += [_row("limit", f"{dollars(LIMIT)} at five scopes"), _row("step", _step(lane))]
    else:
        lines += [
            _row(f"call {denied['call']}", (f"{denied['http']} {denied['error']}", "bold")),
            _row("", f"at {denied['scope']}"),
        ]
    state = f"STOPPED {lane.seconds:.2f} s" if lane.stopped else f"{lane.seconds:.1f} s"
    return box(
        lines,
        width=width,
        name=f"WITH Cycles, limit {dollars(LIMIT)}",
        state=state,
        foot=f"the body of call {denied['call']} never ran" if denied else "",
        style=STYLES[GUARDED],
    )
