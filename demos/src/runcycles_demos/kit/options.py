"""What the commands of all demos check of what they are told."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import typer

ALL = "all"

T = TypeVar("T")


def one_of(known: Mapping[str, T], name: str, flag: str) -> T:
    """Return what is called so.

    Raises:
        typer.BadParameter: nothing is.
    """
    if name not in known:
        raise typer.BadParameter(f"{flag} {name} is not known; choose one of {', '.join(known)}")
    return known[name]


def scenes_of(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the scenes in the order in which they were named, each once.

    Raises:
        typer.BadParameter: there is no such scene.
    """
    choices = {name: (name,) for name in known} | {ALL: tuple(known)}
    wanted = [one for name in names for one in one_of(choices, name, "--scene")]
    return list(dict.fromkeys(wanted))


def period_of(usual_ms: float, *, fast: bool, period_ms: float | None) -> float:
    """Return the time per answer of the model, which is 0 where there is no pace.

    Raises:
        typer.BadParameter: it is no time, or there are two wishes.
    """
    if fast and period_ms is not None:
        raise typer.BadParameter("--fast means no pace at all; leave out --period-ms")
    if period_ms is not None and not 0 < period_ms < float("inf"):
        raise typer.BadParameter(
            f"--period-ms is {period_ms:g}; it has to be a time above 0, or use --fast"
        )
    return 0.0 if fast else usual_ms if period_ms is None else period_ms


def check_time(timeout_s: float) -> None:
    """See that a demo is given some time.

    Raises:
        typer.BadParameter: it is not.
    """
    if not 0 < timeout_s < float("inf"):
        raise typer.BadParameter(f"--timeout is {timeout_s:g}; it has to be a time above 0")


def check_plot(path: Path, *, scene: str, scenes: Sequence[str]) -> None:
    """Find out before a scene what would go wrong after it.

    Raises:
        typer.BadParameter: the scene that is drawn is not played, or the file cannot be written.
    """
    if scene not in scenes:
        raise typer.BadParameter(f"--plot draws the scene {scene}; add --scene {scene}")
    if path.suffix.lower() != ".svg":
        raise typer.BadParameter(f"--plot draws SVG; {path} does not end in .svg")
    target = path if path.exists() else path.absolute().parent
    if path.is_dir() or not target.exists() or not os.access(target, os.W_OK):
        raise typer.BadParameter(f"--plot cannot write {path}; does its folder exist?")
