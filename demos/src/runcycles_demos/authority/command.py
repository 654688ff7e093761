"""`cycles demo authority`: what it takes from the command line."""

from dataclasses import replace
from typing import Annotated

import typer

from runcycles_demos.authority.engine import ENGINES, Engine, usual
from runcycles_demos.authority.terms import (
    AUTHORITY_DOWN,
    DEFAULT_TIMEOUT_S,
    PERIOD_MS,
    SCENES,
    SCENES_OF,
    USUAL,
    Terms,
)
from runcycles_demos.kit.options import ALL, check_time, one_of, period_of, scenes_of

HELP = """Let a support agent act in a real mailbox and CRM, and decide which action it may take.

A tool-calling agent reads a case, takes notes, changes the CRM and writes to customers. In each \
scene it is given other authority: none to ask, no budget for e-mails, one e-mail approved by the \
operator, a hundred points of risk, a server that is gone. \
What it did is read from the mailbox and the CRM, not from what it says.

Exit codes: 0 every sentence holds, 1 one does not, 2 wrong usage, \
3 this machine could not run it, 130 interrupted.
"""


def authority(  # noqa: PLR0917 - typer reads the parameters by name
    scene: Annotated[
        list[str] | None,
        typer.Option(
            "--scene",
            metavar="NAME",
            help=f"What to show: {', '.join(SCENES)} or {ALL}; repeatable.",
            show_default=", ".join(USUAL),
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            help=f"What the agent is built with: {', '.join(ENGINES)}.",
            show_default="langchain if it is installed, otherwise plain",
        ),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="No pace: the model answers at once.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the live view.")] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="Lines instead of the live view; so does NO_COLOR.")
    ] = False,
    fail_open: Annotated[
        bool,
        typer.Option(
            "--fail-open",
            help=f"In {AUTHORITY_DOWN}, let tools run that nobody could be asked for.",
        ),
    ] = False,
    period_ms: Annotated[
        float | None,
        typer.Option(
            "--period-ms", help="Time per answer of the model.", show_default=f"{PERIOD_MS:g}"
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
    """Let a support agent act, and decide which action it may take."""
    built_with = usual() if engine is None else one_of(ENGINES, engine, "--engine")
    names = _scenes(scene, built_with)
    if fail_open and AUTHORITY_DOWN not in names:
        raise typer.BadParameter(f"--fail-open is for --scene {AUTHORITY_DOWN}")
    timeout_s = DEFAULT_TIMEOUT_S * len(names) if timeout is None else timeout
    check_time(timeout_s)
    period = period_of(PERIOD_MS, fast=fast, period_ms=period_ms)
    terms = Terms(engine=built_with, period_ms=period, timeout_s=timeout_s, fail_open=fail_open)
    from runcycles_demos.authority.show import show  # noqa: PLC0415 - only parsing is wanted above
    from runcycles_demos.kit.showing import Wishes  # noqa: PLC0415 - as above

    wishes = Wishes(as_json=as_json, plain=plain or no_color)
    raise typer.Exit(show([replace(terms, scene=name) for name in names], wishes))


def _scenes(named: list[str] | None, engine: Engine) -> list[str]:
    known = SCENES_OF[engine.name]
    if named is None:
        return [name for name in USUAL if name in known]
    wanted = scenes_of([name for name in named if name != ALL], SCENES)
    for name in wanted:
        if name not in known:
            raise typer.BadParameter(
                f"--scene {name} is not played with --engine {engine.name}, which has "
                f"{', '.join(known)}; choose --engine langchain or plain"
            )
    return scenes_of(named, known)
