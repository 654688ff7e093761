"""The picture of the scene `next-email`: e-mails that an agent wants to send, and those sent."""

from runcycles_demos.authority.actions import EMAIL, ESCALATE
from runcycles_demos.authority.reading import RunReading, SceneReading
from runcycles_demos.authority.world import effects
from runcycles_demos.kit.curves import Curve, Mark, Plot

_HEADROOM = 1.1


def plot(reading: SceneReading) -> Plot:
    """Return the picture of the first run."""
    run = reading.runs[0]
    assert run.ended is not None  # the scene is over
    began, ended = run.began, run.ended.t
    sent = [event.t - began for event in reading.effects_of(effects.EMAIL) if event.t < ended]
    wanted = [moment - began for moment in _wanted(run)]
    quota, customers = reading.intro["quota"], reading.intro["emails"]
    return Plot(
        title=f"{customers} customers wait, and the agent may send {quota} e-mails in a run",
        caption=tuple(reading.intro["caption"]),
        curves=(
            _curve("wanted", f"{len(wanted)} e-mails", wanted, ended - began),
            _curve("sent", f"{len(sent)} e-mails", sent, ended - began),
        ),
        limit=float(quota),
        limit_text=f"quota: {quota} a run",
        mark=_mark(run, began, len(sent)),
        seconds=ended - began,
        top=customers * _HEADROOM,
        unit="",
    )


def _wanted(run: RunReading) -> list[float]:
    """When it wanted to send one: asked for it, or took it to a human without asking any more."""
    asked = [turn.wanted.t for turn in run.turns if turn.tool == EMAIL]
    escalated = [turn.wanted.t for turn in run.turns if turn.tool == ESCALATE]
    refused = sum(turn.refused for turn in run.turns if turn.tool == EMAIL)
    return sorted([*asked, *escalated[refused:]])  # a refused one was escalated as well


def _curve(name: str, summary: str, moments: list[float], until: float) -> Curve:
    steps = tuple((t, float(number)) for number, t in enumerate(moments, 1))
    return Curve(name=name, summary=summary, steps=steps, until=until)


def _mark(run: RunReading, began: float, sent: int) -> Mark | None:
    for turn in run.turns:
        if turn.tool == EMAIL and turn.refused and turn.asked is not None:
            words = f"{turn.asked['http']}, e-mail {sent + 1}"
            return Mark(t=turn.asked.t - began, value=float(sent), text=words)
    return None
