"""The first screen and the last: what is real and what is not, who says what, what was shown."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from runcycles_demos.kit.money import dollars
from runcycles_demos.kit.timeline import Event
from runcycles_demos.runaway.reading import NAMES, SceneReading
from runcycles_demos.runaway.terms import DRY_RUN, GUARDED, OBSERVED, SHADOW, TOKENS, UNGUARDED

STYLES = {
    UNGUARDED: "color(208)",
    GUARDED: "color(39)",
    OBSERVED: "color(78)",
    DRY_RUN: "color(177)",
}
DIM = "bright_black"
_STATE = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", DIM)}


def first_screen(intro: Mapping[str, Any]) -> RenderableType:
    """Return what is said before anything runs."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(ratio=1)
    for name, text in intro["rows"].items():
        rows.add_row(name, text)
    return Group(
        Text.assemble((f"{intro['headline']} ", "bold"), intro["story"]),
        Padding(rows, (1, 0)),
    )


def last_screen(reading: SceneReading) -> RenderableType:
    """Return what is said when all lanes have stopped and every witness was heard."""
    return Group(
        _observers(reading) if reading.scene == SHADOW else _witnesses(reading),
        Text(),
        *(_verdict(event) for event in reading.verdicts),
        Text(),
        *([_came_back(reading)] if reading.scene == TOKENS else []),
        *([_overhead(reading)] if GUARDED in reading.lanes else []),
        conclusion(reading),
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


def _verdict(event: Event) -> RenderableType:
    mark, style = _STATE[event["ok"]]
    row = Table.grid(padding=(0, 1))
    row.add_column(width=1, style=style)
    row.add_column(width=3, style=style)
    row.add_column(ratio=1)
    row.add_row(mark, event["id"], _sentence(event))
    return row


def _sentence(event: Event) -> Text:
    sentence = Text(event["text"])
    if event["ok"] is False:
        expected, actual = (json.dumps(event[name]) for name in ("expected", "actual"))
        sentence.append(f"\nexpected {expected}, found {actual}", "red")
    elif event["ok"] is None:
        sentence.append(f" – not judged: {event['skipped']}", DIM)
    return sentence


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


def conclusion(reading: SceneReading) -> Text:
    """Return the last sentence, which says the same as the exit code."""
    failed = [event["id"] for event in reading.verdicts if event["ok"] is False]
    if failed:
        return Text(f"{_list(failed)} {'does' if len(failed) == 1 else 'do'} not hold.", "bold red")
    held = sum(event["ok"] is True for event in reading.verdicts)
    every = "All" if held == len(reading.verdicts) else "The other"
    return Text(f"{every} {held} sentences hold.", "bold green")


def _list(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
