"""How a demo is shown, and when it is given up: the same for all demos."""

import io
import os
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console, RenderableType

from runcycles_demos.kit.renderers import Renderer
from runcycles_demos.kit.screens import print_plain
from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.kit.trouble import (
    EXIT_ENVIRONMENT,
    EXIT_FAILED,
    EXIT_HELD,
    EXIT_INTERRUPTED,
    Interruptions,
    StackError,
)

Check = Callable[[], None]

# What the whole showing ends with, if its scenes end with several of these.
_WEIGHTIEST_FIRST = (EXIT_INTERRUPTED, EXIT_FAILED, EXIT_ENVIRONMENT, EXIT_HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How it is to be shown."""

    as_json: bool = False
    plain: bool = False
    plot: Path | None = None


class Silence:
    """Says nothing; the document is written when everything is over."""

    def update(self, timeline: Timeline) -> None:
        """Wait for the end."""

    def finish(self, timeline: Timeline) -> None:
        """Wait for the other scenes."""

    def close(self) -> None:
        """Nothing is open."""


def weightiest(codes: Collection[int]) -> int:
    """Return the exit code of scenes that ended with these."""
    return next(code for code in _WEIGHTIEST_FIRST if code in codes)


def checker(interruptions: Interruptions, timeout_s: float) -> Check:
    """Return what raises when somebody asked to stop or when the time is over."""
    end = time.monotonic() + timeout_s

    def check() -> None:
        interruptions.check()
        if time.monotonic() > end:
            raise StackError(f"It took longer than the {timeout_s:g} s of --timeout.")

    return check


def renderer(
    wishes: Wishes,
    live: Callable[[Console], Renderer],
    plain: Callable[[Console], Renderer],
) -> Renderer:
    """Return the live view where there is a terminal for it, unless something else is wished."""
    if wishes.as_json:
        return Silence()
    console = console_of(wishes)
    return live(console) if console.is_terminal else plain(console)


def console_of(wishes: Wishes) -> Console:
    """Return where to print: what it says of itself is a terminal only if a live view is wished."""
    console = Console()
    is_live = console.is_terminal and not console.is_dumb_terminal
    if is_live and not wishes.plain and not os.environ.get("NO_COLOR"):
        return console
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a tick that a pipe cannot carry is no failure
    return Console(no_color=True, color_system=None, highlight=False, force_terminal=False)


def show_screen(wishes: Wishes, screen: RenderableType) -> None:
    """Print something that belongs to no scene, in the manner in which the scenes are shown."""
    if not wishes.as_json:
        console = console_of(wishes)
        (console.print if console.is_terminal else partial(print_plain, console))(screen)
