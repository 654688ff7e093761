"""`cycles demo`: demonstrations that check their own claims.

Only what parsing needs is imported here, because every `cycles` command loads this module.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from runcycles_demos.authority.command import HELP, authority
from runcycles_demos.kit.options import (
    ALL,
    check_plot,
    check_time,
    one_of,
    period_of,
    scenes_of,
)
from runcycles_demos.runaway.engine import ENGINES, PLAIN, Engine
from runcycles_demos.runaway.terms import (
    DEFAULT_SEED,
    DEFAULT_TIMEOUT_S,
    RACE,
    SCENES,
    TOKENS,
    Terms,
)

_AROUND_S = 10.0  # starting, judging and ending a scene take less than this
_TOKENS_SHARE = 0.3  # of the calls of the other scenes; a dollar is gone sooner

app = typer.Typer(
    help="Demonstrations that check their own claims. No key, no account, no network.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.callback()
def demo() -> None:
    """Demonstrations that check their own claims. No key, no account, no network."""


_RUNAWAY = """Run one agent with one bug several times at once: without a limit, and with Cycles.

All lanes talk to the same scripted model, which bills $0.01 a call. \
In the scene `race` one has a budget of $1.00 and stops there; the other goes on until it is cut \
off. In `shadow` one asks, records and is not stopped, and one only asks. In `tokens` no two calls \
cost the same. \
Every sentence of the last screen is checked against the model's own bill, the ledger and the \
server's log.

Exit codes: 0 every sentence holds, 1 one does not, 2 wrong usage, \
3 this machine could not run it or not keep the pace, 130 interrupted.
"""


@app.command(help=_RUNAWAY)
def runaway(  # noqa: PLR0917 - typer reads the parameters by name
    scene: Annotated[
        list[str] | None,
        typer.Option(
            "--scene",
            metavar="NAME",
            help=f"What to show: {', '.join(SCENES)} or {ALL}; repeatable.",
            show_default=RACE,
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine", metavar="NAME", help=f"What the agent is built with: {', '.join(ENGINES)}."
        ),
    ] = PLAIN.name,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="No pace: as fast as it goes, cut by calls instead of time."),
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
        typer.Option(
            "--plot", metavar="FILE.svg", help="Also draw the bills of the race into this file."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Where the model's random scores begin.")
    ] = DEFAULT_SEED,
    period_ms: Annotated[
        float | None,
        typer.Option(
            "--period-ms",
            help="Time per model call.",
            show_default="12, for openai-agents and crewai 24",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            help="Give up after so many seconds.",
            show_default=f"{DEFAULT_TIMEOUT_S:g} for each scene",
        ),
    ] = None,
) -> None:
    """Run one agent with one bug several times at once: without a limit, and with Cycles."""
    terms = _terms(one_of(ENGINES, engine, "--engine"), fast=fast, seed=seed, period_ms=period_ms)
    names = scenes_of(scene or [RACE], SCENES)
    timeout_s = DEFAULT_TIMEOUT_S * len(names) if timeout is None else timeout
    scenes = [replace(terms, scene=name, timeout_s=timeout_s) for name in names]
    _check_time(scenes, timeout_s)
    if plot is not None:
        check_plot(plot, scene=RACE, scenes=names)
    from runcycles_demos.kit.showing import Wishes  # noqa: PLC0415 - see the module's text
    from runcycles_demos.runaway.show import show  # noqa: PLC0415 - see the module's text

    wishes = Wishes(as_json=as_json, plain=plain or no_color, plot=plot)
    raise typer.Exit(show(scenes, wishes))


def _terms(engine: Engine, *, fast: bool, seed: int, period_ms: float | None) -> Terms:
    period = period_of(engine.period_ms, fast=fast, period_ms=period_ms)
    return Terms(engine=engine, seed=seed, period_ms=period)


def _check_time(scenes: list[Terms], timeout_s: float) -> None:
    check_time(timeout_s)
    paced_s = sum(map(_takes_s, scenes))
    around_s = _AROUND_S * len(scenes)
    if paced_s and paced_s + around_s > timeout_s:
        raise typer.BadParameter(
            f"at {scenes[0].period_ms:g} ms a call this takes {paced_s:g} s and up to "
            f"{around_s:g} s around it, but --timeout is {timeout_s:g}; give it at least "
            f"{paced_s + around_s:g}"
        )


def _takes_s(terms: Terms) -> float:
    return terms.paced_s * (_TOKENS_SHARE if terms.scene == TOKENS else 1)


app.command(help=HELP)(authority)
