"""What the live view shows of one lane: four lines in a frame, by what is around the agent."""

from rich.text import Text

from runcycles_demos.kit.boxes import box
from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.screens import DIM
from runcycles_demos.runaway.agent import GOOD_ENOUGH
from runcycles_demos.runaway.reading import LaneReading
from runcycles_demos.runaway.screens import STYLES
from runcycles_demos.runaway.terms import DRY_RUN, GUARDED, LIMIT, OBSERVED, UNGUARDED

_LABEL = 15
_CENT = LIMIT // 100
_NAMES = {
    UNGUARDED: "WITHOUT Cycles",
    GUARDED: f"WITH Cycles, limit {dollars(LIMIT)}",
    OBSERVED: f"SHADOW MODE, limit {dollars(LIMIT)}",
    DRY_RUN: f"DRY RUN ALONE, limit {dollars(LIMIT)}",
}


def lane_box(name: str, lane: LaneReading, width: int) -> list[Text]:
    """Return the lane's frame, each line exactly so wide."""
    lines = {UNGUARDED: _unguarded, GUARDED: _guarded}.get(name, _asking)(lane)
    return box(
        [_bill(lane), *lines],
        width=width,
        name=_NAMES[name],
        state=_state(lane),
        foot=_foot(name, lane),
        style=STYLES[name],
    )


def _row(label: str, *words: str | tuple[str, str]) -> Text:
    return Text.assemble((f"{label:<{_LABEL}}", DIM), *words, no_wrap=True)


def _bill(lane: LaneReading) -> Text:
    billed = lane.billed // _CENT * _CENT
    return _row("provider bill", (f"{dollars(billed):<9}", "bold"), f"{lane.requests:,} calls")


def _step(lane: LaneReading) -> Text:
    score = "" if lane.score is None else f", score {lane.score:.1f} < {GOOD_ENOUGH:.1f}"
    return _row("step", lane.step + score)


def _ledger(lane: LaneReading) -> Text:
    if lane.ledger is None:
        return _row("ledger", "")
    spent, held = (lane.ledger[part] // _CENT * _CENT for part in ("spent", "reserved"))
    return _row("ledger", f"spent {dollars(spent)}  held {dollars(held)}")


def _unguarded(lane: LaneReading) -> list[Text]:
    rate = f"{dollars(lane.per_minute // _CENT * _CENT)}/min"
    return [_row("rate", rate), _row("limit", "none"), _step(lane)]


def _guarded(lane: LaneReading) -> list[Text]:
    denied = lane.denied
    if denied is None:
        return [_ledger(lane), _row("limit", f"{dollars(LIMIT)} at five scopes"), _step(lane)]
    refusal = (f"{denied['http']} {denied['error']}", "bold")
    return [
        _ledger(lane),
        _row(f"call {denied['call']}", refusal),
        _row("", f"at {denied['scope']}"),
    ]


def _asking(lane: LaneReading) -> list[Text]:
    found = lane.would_refuse
    if found:
        said = _row("would refuse", (f"call {found[0]}", "bold"), f" first, {len(found):,} so far")
    else:
        said = _row("would refuse", "nothing")
    return [_ledger(lane), said, _step(lane)]


def _state(lane: LaneReading) -> str:
    if lane.stopped is None:
        return f"{lane.seconds:.1f} s"
    word = "CUT OFF" if lane.stopped["by"] == "cutoff" else "STOPPED"
    return f"{word} {lane.seconds:.2f} s"


def _foot(name: str, lane: LaneReading) -> str:
    if lane.stopped is None:
        return ""
    if lane.denied is not None:
        return f"the body of call {lane.denied['call']} never ran"
    if name == OBSERVED and lane.would_refuse:
        return f"it knows: {lane.would_refuse[0] - 1} calls would have been allowed"
    return {UNGUARDED: "nothing ever said no", DRY_RUN: "nothing was recorded"}.get(name, "")
