"""What the first and the last screen of every demo have in common."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from runcycles_demos.kit.timeline import Event

DIM = "bright_black"
_STATE = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", DIM)}


def first_screen(intro: Mapping[str, Any]) -> RenderableType:
    """Return what is said before anything runs."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(ratio=1)
    for name, text in intro["rows"].items():
        rows.add_row(name, text)
    told = Text.assemble((f"{intro['headline']} ", "bold"), intro["story"])
    return Group(told, Padding(rows, (1, 0)) if intro["rows"] else Text())


def verdict_row(event: Event) -> RenderableType:
    """Return one sentence with its tick, or with what was found in its place."""
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


def conclusion(verdicts: Sequence[Event]) -> Text:
    """Return the last sentence, which says the same as the exit code."""
    failed = [event["id"] for event in verdicts if event["ok"] is False]
    if failed:
        return Text(f"{_list(failed)} {'does' if len(failed) == 1 else 'do'} not hold.", "bold red")
    held = sum(event["ok"] is True for event in verdicts)
    every = "All" if held == len(verdicts) else "The other"
    return Text(f"{every} {held} sentences hold.", "bold green")


def _list(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def print_plain(console: Console, screen: RenderableType) -> None:
    """Print a screen without the blanks that a terminal would need at the ends of its lines."""
    with console.capture() as captured:
        console.print(screen, highlight=False)
    for line in captured.get().splitlines():
        console.print(line.rstrip(), soft_wrap=True, highlight=False, markup=False)
