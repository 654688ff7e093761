"""The last screen: who says what, and what was shown."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.screens import conclusion, verdict_row
from runcycles_demos.runaway.reading import NAMES, SceneReading
from runcycles_demos.runaway.terms import DRY_RUN, GUARDED, OBSERVED, SHADOW, TOKENS, UNGUARDED

STYLES = {
    UNGUARDED: "color(208)",
    GUARDED: "color(39)",
    OBSERVED: "color(78)",
    DRY_RUN: "color(177)",
}


def last_screen(reading: SceneReading) -> RenderableType:
    """Return what is said when all lanes have stopped and every witness was heard."""
    return Group(
        _observers(reading) if reading.scene == SHADOW else _witnesses(reading),
        Text(),
        *map(verdict_row, reading.verdicts),
        Text(),
        *([_came_back(reading)] if reading.scene == TOKENS else []),
        *([_overhead(reading)] if GUARDED in reading.lanes else []),
        conclusion(reading.verdicts),
    )


def _witnesses(reading: SceneReading) -> Table:
    """Who says what, a column for each lane."""
    told = {name: _summed(reading, name) for name in reading.lanes}
    table = Table.grid(padding=(0, 3))
    table.add_column(no_wrap=True)
    for name in told:
        table.add_column(style=STYLES[name], justify="right")
    table.add_row(Text("who says so", "bold"), *(Text(NAMES[n], "bold") for n in told))
    table.add_row("the provider's bill", *map(_bill, told.values()))
    table.add_row("the ledger", *map(_ledger, told.values()))
    table.add_row("the agent's own count", *map(_count, told.values()))
    table.add_row("stopped by", *map(_stop, told.values()))
    return table


def _observers(reading: SceneReading) -> Table:
    """Who learnt what, a row for each lane."""
    table = Table.grid(padding=(0, 3))
    table.add_column(no_wrap=True)
    for _ in range(3):
        table.add_column(justify="right")
    titles = ("lane", "the provider's bill", "would refuse", "ledger, spent")
    table.add_row(*(Text(title, "bold") for title in titles))
    for name in reading.lanes:
        told, style = _summed(reading, name), STYLES[name]
        words = (NAMES[name], _bill(told), _would_refuse(told), _spent(told))
        table.add_row(*(Text(word, style) for word in words))
    return table


def _would_refuse(lane: Mapping[str, Any]) -> str:
    if "would_refuse" not in lane:
        return "was not asked"
    first = lane["would_refuse"]["first_call"]
    return "never" if first is None else f"from call {first} on"


def _spent(lane: Mapping[str, Any]) -> str:
    return dollars(lane["ledger"][0]["spent"]) if "ledger" in lane else "was not asked"


def _summed(reading: SceneReading, lane: str) -> Mapping[str, Any]:
    event = reading.lanes[lane].summed
    return event.facts if event else {}


def _bill(lane: Mapping[str, Any]) -> str:
    told = lane["provider"]
    return f"{dollars(told['billed_microcents'])}  {told['requests']:>5,} calls"


def _ledger(lane: Mapping[str, Any]) -> str:
    if "ledger" not in lane:
        return "was not asked"
    return f"{dollars(lane['ledger'][0]['spent'])}  {lane['reservations']['COMMITTED']:>5,} calls"


def _count(lane: Mapping[str, Any]) -> str:
    return f"{lane['agent_calls']:,} calls"


def _stop(lane: Mapping[str, Any]) -> str:
    denial = lane.get("denial")
    if denial:
        why = f"{denial['http']} {denial['error']}"
    else:
        why = "its cut-off" if lane["stopped_by"] == "cutoff" else str(lane["stopped_by"])
    return f"{why}, {lane['seconds']:.2f} s"


def _came_back(reading: SceneReading) -> Text:
    told = _summed(reading, GUARDED)
    asked, back = told["estimated_microcents"], told["released_microcents"]
    return Text(f"Of {dollars(asked)} reserved, call by call, {dollars(back)} came back.")


def _overhead(reading: SceneReading) -> Text:
    took = _summed(reading, GUARDED)["overhead_ms"]
    return Text.assemble(
        "Asking took, per call:  ",
        ("reserve", "bold"),
        f" p50 {took['reserve_p50']:.1f} ms, p95 {took['reserve_p95']:.1f} ms   ",
        ("commit", "bold"),
        f" p50 {took['commit_p50']:.1f} ms, p95 {took['commit_p95']:.1f} ms",
    )
