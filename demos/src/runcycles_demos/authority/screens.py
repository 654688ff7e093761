"""The last screen of a scene, and the words for what happens in it."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runcycles_demos.authority.reading import SceneReading
from runcycles_demos.authority.render_json import counts
from runcycles_demos.authority.world.effects import EMAIL
from runcycles_demos.kit.screens import conclusion, verdict_row
from runcycles_demos.kit.timeline import Event

_MATRIX = ("asked", "allowed", "refused", "emails", "rows", "escalations")


_REASON = 60  # letters of what a human is told; the rest is where to look


def short(target: str) -> str:
    """Return the end of a scope, which is what differs."""
    return target.rpartition("/")[2]


def warning(reading: SceneReading) -> str:
    """Return what has to be said in red: a tool ran although nobody had said yes."""
    ran = [turn.tool for turn in reading.turns if turn.refused and turn.entered]
    return f"{ran[0]} RAN, and nobody had said yes" if ran else ""


def answer_words(asked: Event) -> str:
    """Return what the server has answered to a guard, and how soon."""
    return f"{decision_words(asked)} in {asked['ms']:.1f} ms"


def decision_words(asked: Event) -> str:
    """Return what the server has answered to a guard."""
    if asked["allowed"]:
        return "allowed"
    return "no answer" if asked["http"] is None else f"{asked['http']} {asked['code']}"


def effect_words(effect: Event) -> str:
    """Return what is different in the world now."""
    where = effect["case"] if effect["effect"] == EMAIL else f"#{effect['case']}"
    return f"{where}: {effect['text'][:_REASON]}"


def last_screen(reading: SceneReading) -> RenderableType:
    """Return what is said of a scene when every witness was heard."""
    alarm = warning(reading)
    return Group(
        *map(verdict_row, reading.verdicts),
        Text(),
        *([Text(f"{alarm}.", "bold red")] if alarm else []),
        conclusion(reading.verdicts),
    )


def matrix(readings: Sequence[SceneReading]) -> RenderableType:
    """Return all scenes, a row for each."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    for _ in _MATRIX:
        table.add_column(justify="right")
    titles = ("scene", "asked", "allowed", "refused", "e-mails", "rows", "escalated")
    table.add_row(*(Text(title, "bold") for title in titles))
    for reading in readings:
        counted = counts(reading)
        table.add_row(reading.scene, *(str(counted[name]) for name in _MATRIX))
    return table
