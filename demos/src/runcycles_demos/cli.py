"""`cycles demo`: demonstrations that check their own claims.

Only what parsing needs is imported here, because every `cycles` command loads this module.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from runcycles_demos.runaway.terms import (
    CALLS,
    DEFAULT_PERIOD_MS,
    DEFAULT_SEED,
    DEFAULT_TIMEOUT_S,
    Terms,
)

_AROUND_S = 10.0  # starting, judging and ending take less than this

app = typer.Typer(
    help="Demonstrations that check their own claims. No key, no account, no network.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.callback()
def demo() -> None:
    """Demonstrations that check their own claims. No key, no account, no network."""


_RUNAWAY = """Run one agent with one bug twice at once: without a limit, and with Cycles.

Both lanes talk to the same scripted model, which bills $0.01 a call. \
One has a budget of $1.00 and stops there; the other goes on until it is cut off. \
Every sentence of the last screen is checked against the model's own bill, the ledger and the \
server's log.

Exit codes: 0 every sentence holds, 1 one does not, 2 wrong usage, \
3 this machine could not run it or not keep the pace, 130 interrupted.
"""


@app.command(help=_RUNAWAY)
def runaway(  # noqa: PLR0917 - typer reads the parameters by name
    fast: Annotated[
        bool,
        typer.Option("--fast", help=f"No pace: as fast as it goes, cut after {CALLS:,} calls."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the live view.")] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="Lines instead of the live view; so does NO_COLOR.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.svg", help="Also draw both bills into this file."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Where the model's random scores begin.")
    ] = DEFAULT_SEED,
    period_ms: Annotated[
        float | None,
        typer.Option(
            "--period-ms",
            help="Time per model call.",
            show_default=f"{DEFAULT_PERIOD_MS:g}",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Give up after so many seconds.")
    ] = DEFAULT_TIMEOUT_S,
) -> None:
    """Run one agent with one bug twice at once: without a limit, and with Cycles."""
    terms = _terms(fast=fast, seed=seed, period_ms=period_ms, timeout_s=timeout)
    if plot is not None:
        _check_plot(plot)
    from runcycles_demos.runaway.show import Wishes, show  # noqa: PLC0415 - see the module's text

    wishes = Wishes(as_json=as_json, plain=plain or no_color, plot=plot)
    raise typer.Exit(show(terms, wishes))


def _terms(*, fast: bool, seed: int, period_ms: float | None, timeout_s: float) -> Terms:
    if fast and period_ms is not None:
        raise typer.BadParameter("--fast means no pace at all; leave out --period-ms")
    if period_ms is not None and not 0 < period_ms < float("inf"):
        raise typer.BadParameter(
            f"--period-ms is {period_ms:g}; it has to be a time above 0, or use --fast"
        )
    if not 0 < timeout_s < float("inf"):
        raise typer.BadParameter(f"--timeout is {timeout_s:g}; it has to be a time above 0")
    period = 0.0 if fast else DEFAULT_PERIOD_MS if period_ms is None else period_ms
    terms = Terms(seed=seed, period_ms=period, timeout_s=timeout_s)
    if terms.cut_s is not None and terms.cut_s + _AROUND_S > timeout_s:
        raise typer.BadParameter(
            f"at {period:g} ms a call the race takes {terms.cut_s:g} s and up to {_AROUND_S:g} s "
            f"around it, but --timeout is {timeout_s:g}; give it at least "
            f"{terms.cut_s + _AROUND_S:g}"
        )
    return terms


def _check_plot(path: Path) -> None:
    """Find out before the race what would go wrong after it."""
    if path.suffix.lower() != ".svg":
        raise typer.BadParameter(f"--plot draws SVG; {path} does not end in .svg")
    target = path if path.exists() else path.absolute().parent
    if path.is_dir() or not target.exists() or not os.access(target, os.W_OK):
        raise typer.BadParameter(f"--plot cannot write {path}; does its folder exist?")
