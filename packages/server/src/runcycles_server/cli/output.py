"""What every command can print: one line of JSON, or a table for people."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether this is meant.")]

Cell = Callable[[Mapping[str, Any]], str | Text]
_STATES = {
    "ACTIVE": "green",
    "FROZEN": "yellow",
    "SUSPENDED": "yellow",
    "DISABLED": "dim",
    "EXPIRED": "dim",
    "REVOKED": "red",
    "CLOSED": "red",
}


def show_json(found: Any) -> None:
    """One line of JSON."""
    typer.echo(json.dumps(found, ensure_ascii=False, separators=(",", ":")))


def show_rows(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, Cell], none: str) -> None:
    """A table, or the sentence `none` where there are no rows.

    The first column is what people copy, so it is never broken over lines.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, name in enumerate(columns):
        table.add_column(name, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(cell(row) for cell in columns.values()))
    if table.row_count:
        Console().print(table)
    else:
        typer.echo(none)


def field(name: str) -> Cell:
    """A member as it is; nothing where it is absent."""
    return lambda row: str(row.get(name, ""))


def several(name: str) -> Cell:
    """The members of a list, separated by commas."""
    return lambda row: ", ".join(row.get(name) or ())


def state(row: Mapping[str, Any]) -> Text:
    """The status of a thing, in its colour."""
    status = str(row["status"])
    return Text(status.lower(), style=_STATES.get(status, ""))


def moment(name: str) -> Cell:
    """A moment to the second, in UTC."""
    return lambda row: str(row.get(name, ""))[:19].replace("T", " ")


def moment_of_ms(ms: int) -> str:
    """A moment in epoch ms, to the second, in UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed.

    Raises:
        typer.BadParameter: nobody is there to be asked.
        typer.Abort: the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Say so with --yes.")
    typer.confirm(question, abort=True, err=True)
