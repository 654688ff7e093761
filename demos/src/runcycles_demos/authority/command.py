"""`cycles demo authority`: what it takes from the command line."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from runcycles_demos.authority.engine import ENGINES, Engine, usual
from runcycles_demos.authority.terms import (
    AUTHORITY_DOWN,
    DEFAULT_EMAILS,
    DEFAULT_QUOTA,
    DEFAULT_TIMEOUT_S,
    MOST_EMAILS,
    NEXT_EMAIL,
    PERIOD_MS,
    SCENES,
    SCENES_OF,
    USUAL,
    Terms,
)
from runcycles_demos.kit.options import ALL, check_plot, check_time, one_of, period_of, scenes_of

HELP = """Let a support agent act in a real mailbox and CRM, and decide which action it may take.

A tool-calling agent reads a case, takes notes, changes the CRM and writes to customers. In each \
scene it is given other authority: nobody to ask, no budget for e-mails, a policy that denies \
them, a quota, an operator who freezes and approves, points of risk, a server that is gone, an \
emergency stop. \
What it did is read from the mailbox and the CRM, not from what it says.

Exit codes: 0 every sentence holds, 1 one does not, 2 wrong usage, \
3 this machine could not run it, 130 interrupted.
"""


_Scenes = Annotated[
    list[str] | None,
    typer.Option(
        "--scene",
        metavar="NAME",
        help=f"What to show: {', '.join(SCENES)} or {ALL}; repeatable.",
        show_default=", ".join(USUAL),
    ),
]
_EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help=f"What the agent is built with: {', '.join(ENGINES)}.",
        show_default="langchain if it is installed, otherwise plain",
    ),
]
_Fast = Annotated[bool, typer.Option("--fast", help="No pace: the model answers at once.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
_Plain = Annotated[bool, typer.Option("--plain", help="Lines instead of the live view.")]
_NoColor = Annotated[
    bool, typer.Option("--no-color", help="Lines instead of the live view; so does NO_COLOR.")
]
_Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE.svg", help=f"Also draw {NEXT_EMAIL} into this file."),
]
_Emails = Annotated[
    int, typer.Option("--emails", help=f"In {NEXT_EMAIL}, how many customers wait for one.")
]
_Quota = Annotated[
    int, typer.Option("--quota", help=f"In {NEXT_EMAIL}, how many may be sent in a run.")
]
_FailOpen = Annotated[
    bool,
    typer.Option(
        "--fail-open", help=f"In {AUTHORITY_DOWN}, let tools run that nobody could be asked for."
    ),
]
_Period = Annotated[
    float | None,
    typer.Option(
        "--period-ms", help="Time per answer of the model.", show_default=f"{PERIOD_MS:g}"
    ),
]
_Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        help="Give up after so many seconds.",
        show_default=f"{DEFAULT_TIMEOUT_S:g} for each scene, more for many e-mails",
    ),
]


def authority(  # noqa: PLR0913, PLR0917 - typer reads the parameters by name
    scene: _Scenes = None,
    engine: _EngineName = None,
    fast: _Fast = False,
    as_json: _Json = False,
    plain: _Plain = False,
    no_color: _NoColor = False,
    plot: _Plot = None,
    emails: _Emails = DEFAULT_EMAILS,
    quota: _Quota = DEFAULT_QUOTA,
    fail_open: _FailOpen = False,
    period_ms: _Period = None,
    timeout: _Timeout = None,
) -> None:
    """Let a support agent act, and decide which action it may take."""
    built_with = usual() if engine is None else one_of(ENGINES, engine, "--engine")
    names = _scenes(scene, built_with)
    if not 1 <= quota < emails <= MOST_EMAILS:
        raise typer.BadParameter(
            f"--emails {emails} --quota {quota}: let more customers wait than may be answered, "
            f"at least 2 and 1, at most {MOST_EMAILS}"
        )
    if plot is not None:
        check_plot(plot, scene=NEXT_EMAIL, scenes=names)
    if fail_open and AUTHORITY_DOWN not in names:
        raise typer.BadParameter(f"--fail-open is for --scene {AUTHORITY_DOWN}")
    period = period_of(PERIOD_MS, fast=fast, period_ms=period_ms)
    paced_s = (2 * emails - quota) * period / 1000  # each is sent, or escalated, or both tried
    usual_s = DEFAULT_TIMEOUT_S * len(names) + paced_s
    timeout_s = usual_s if timeout is None else timeout
    check_time(timeout_s)
    terms = Terms(
        engine=built_with,
        period_ms=period,
        timeout_s=timeout_s,
        fail_open=fail_open,
        emails=emails,
        quota=quota,
    )
    from runcycles_demos.authority.show import show  # noqa: PLC0415 - only parsing is wanted above
    from runcycles_demos.kit.showing import Wishes  # noqa: PLC0415 - as above

    wishes = Wishes(as_json=as_json, plain=plain or no_color, plot=plot)
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
