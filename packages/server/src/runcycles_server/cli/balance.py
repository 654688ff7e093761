"""`cycles balance`: what is left, and of what."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runcycles import wire
from runcycles.clients import CyclesClient
from runcycles.config import CyclesConfig
from runcycles.ops import BalancePage, Balances
from runcycles.scopes import LEVELS
from runcycles.types import Amount, Balance, SignedAmount, Unit
from runcycles_server.cli.output import Json
from runcycles_server.cli.words import amount_words

BAR_WIDTH: Final = 24


def balance(
    scopes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCOPE]...", help="agent:writer, or tenant:acme/app:chat …"),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show what the budgets have left; those of the whole tenant unless scopes are named.

    Server and key are read from CYCLES_BASE_URL, CYCLES_API_KEY and CYCLES_TENANT.

    [bold]Examples[/bold]

      cycles balance

      cycles balance agent:writer agent:editor

      cycles balance --json | jq '.balances[].remaining'
    """
    wanted = [_segments(scope) for scope in scopes or ()]
    config = replace(CyclesConfig.from_env(), retry_enabled=False)
    if not wanted and config.tenant is None:
        raise typer.BadParameter("name a scope, or set CYCLES_TENANT")
    found: dict[tuple[str, Unit], Balance] = {}
    with CyclesClient(config) as client:
        for segments in wanted or [{}]:
            for row in client.every_balance(**segments):
                found[row.scope_path, row.remaining.unit] = row
    rows = [found[key] for key in sorted(found)]
    if as_json:
        typer.echo(wire.encode_reply(Balances, BalancePage(balances=tuple(rows))))
    elif rows:
        Console().print(_table(rows))
    else:
        typer.echo("There is no such budget.")


def _segments(scope: str) -> dict[str, Any]:
    """The levels that a scope names: `agent:a`, or several of them as in `app:a/agent:b`."""
    found: dict[str, Any] = {}
    for segment in scope.split("/"):
        level, _, value = segment.partition(":")
        if level not in LEVELS or not value:
            raise typer.BadParameter(
                f"{scope!r} is no scope; write <level>:<name>, with one of {', '.join(LEVELS)}"
            )
        found[level] = value
    return found


def _table(rows: Iterable[Balance]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("scope", overflow="fold")
    for name in ("left", "of", "spent", "held"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        left = Text(_words(row.remaining), style="red" if row.remaining.amount <= 0 else "bold")
        amounts = (_words(row.allocated), _words(row.spent), _words(row.reserved))
        table.add_row(row.scope_path, left, *amounts, _bar(row))
    return table


def _words(amount: Amount | SignedAmount | None) -> str:
    return "" if amount is None else amount_words(amount)


def _bar(row: Balance) -> Text:
    """Spent, held and left of what was allocated, in that order."""
    if row.allocated is None or row.spent is None or row.reserved is None:
        return Text()
    whole = max(row.allocated.amount, row.spent.amount + row.reserved.amount, 1)
    spent = -(-row.spent.amount * BAR_WIDTH // whole)
    held = min(-(-row.reserved.amount * BAR_WIDTH // whole), BAR_WIDTH - spent)
    bar = Text("█" * spent, style="red" if row.remaining.amount <= 0 else "cyan")
    bar.append("▒" * held, style="yellow")
    bar.append("░" * (BAR_WIDTH - spent - held), style="dim")
    return bar
