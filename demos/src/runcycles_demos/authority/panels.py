"""The frames of the live view: the agent, the world, and who may do what."""

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from runcycles_demos.authority.actions import READ, TOOLS, actions
from runcycles_demos.authority.reading import SceneReading, TurnReading
from runcycles_demos.authority.screens import (
    answer_words,
    decision_words,
    effect_words,
    short,
    warning,
)
from runcycles_demos.authority.terms import AGENT_LANE
from runcycles_demos.authority.world.crm import OPEN
from runcycles_demos.authority.world.effects import EMAIL, NOTE, REVIEW, STATUS
from runcycles_demos.kit.boxes import box
from runcycles_demos.kit.screens import DIM
from runcycles_demos.kit.timeline import Event

AGENT_STYLE, WORLD_STYLE, AUTHORITY_STYLE = "color(39)", "color(208)", "color(78)"
_GOOD, _BAD, _OPERATOR = "green", "bold red", "color(220)"
_TOOL = max(map(len, TOOLS))
_LABEL = 12
_WHO = 8
_LATEST = 4
AUTHORITY_LINES = len(TOOLS) + 3  # a heading, and a frame
WORLD_LINES = 8  # where it does not stand beside the agent


def agent_box(reading: SceneReading, width: int, height: int) -> list[Text]:
    """Return the agent's steps and what the operator did between them, the latest at the end."""
    room = height - 2
    lines = _story(reading, width - 4, wordy=True)
    if len(lines) > room:
        lines = _story(reading, width - 4, wordy=False)
    shown = [*lines[-room:], *[Text()] * (room - len(lines))]
    return box(
        shown,
        width=width,
        name="THE AGENT",
        state=_state(reading),
        foot=warning(reading),
        style="red" if warning(reading) else AGENT_STYLE,
    )


def _state(reading: SceneReading) -> str:
    running = sum(run.ended is None for run in reading.runs)
    return "at work" if running else f"{len(reading.runs)} runs" if len(reading.runs) > 1 else ""


def _story(reading: SceneReading, width: int, *, wordy: bool) -> list[Text]:
    told = sorted(_events(reading, width, wordy=wordy), key=lambda event: event[0])
    return [line for _, line in told]


def _events(reading: SceneReading, width: int, *, wordy: bool) -> Iterator[tuple[float, Text]]:
    alone = {run.lane for run in reading.runs} == {AGENT_LANE}
    for turn in reading.turns:
        who = "" if alone else f"{turn.lane:<{_WHO}}"
        yield turn.wanted.t, Text.assemble((who, DIM), *_turn(turn, width - len(who)), no_wrap=True)
        if wordy:
            action = actions()[turn.tool]
            yield turn.wanted.t, Text(f"{'':{len(who) + 2}}{action.kind} · {action.toolset}", DIM)
    for run in reading.runs[1:] if alone else ():
        yield run.began, Text(f"── {run.run_id}", DIM)
    for event in reading.actions:
        words = f"▸ operator: {event['action']} {short(event['target'])}"
        yield event.t, Text(words, _OPERATOR, no_wrap=True)
    if stopped := reading.said.get("server_stopped"):
        yield stopped.t, Text("▸ the Cycles server is stopped", _OPERATOR, no_wrap=True)


def _turn(turn: TurnReading, width: int) -> list[tuple[str, str]]:
    name = f"{turn.tool:<{_TOOL}}  "
    if turn.asked is None:
        mark, words = ("✓ ", "nobody was asked") if turn.entered else ("· ", "")
        return [(mark, _GOOD), (name, "bold"), (words, DIM)]
    words = answer_words(turn.asked)
    if len(name) + 2 + len(words) > width:
        words = decision_words(turn.asked)
    mark, style, weight = ("✗ ", _BAD, _BAD) if turn.refused else ("✓ ", _GOOD, DIM)
    return [(mark, style), (name, "bold"), (words, weight)]


def world_box(reading: SceneReading, width: int, height: int) -> list[Text]:
    """Return what is different in the world."""
    emails, reviews = reading.effects_of(EMAIL), reading.effects_of(REVIEW)
    room = height - 2
    count = f"{len(emails)} e-mail{'' if len(emails) == 1 else 's'}"
    crm = [*_status(reading), _row("notes", str(len(reading.effects_of(NOTE))))]
    spare = room - len(crm) - 2
    sent = _latest(emails, spare)
    queue = _latest(reviews, spare - len(sent))
    lines = [
        _row("mailbox", count, strong=True),
        *sent,
        *crm,
        _row("for humans", str(len(reviews)), strong=True),
        *queue,
    ]
    shown = [*lines[:room], *[Text()] * (room - len(lines))]
    now = f"{reading.now:.1f} s"
    return box(shown, width=width, name="THE WORLD", state=now, foot="", style=WORLD_STYLE)


def _latest(events: list[Event], room: int) -> list[Text]:
    """The last few of them, as many as there is room for."""
    shown = events[-min(room, _LATEST) :] if room > 0 else []
    return [_row("", effect_words(event)) for event in shown]


def _status(reading: SceneReading) -> list[Text]:
    changed = {event["case"]: event["text"] for event in reading.effects_of(STATUS)}
    cases = reading.intro["cases"]
    if len(cases) == 1:
        return [_row("CRM", f"#{cases[0]} {changed.get(cases[0], OPEN)}", strong=True)]
    counts = Counter(changed.values())
    words = [f"{count} {word}" for word, count in counts.items()]
    return [_row("CRM", ", ".join([*words, f"{len(cases) - len(changed)} {OPEN}"]), strong=True)]


def _row(label: str, words: str, *, strong: bool = False) -> Text:
    return Text.assemble(
        (f"{label:<{_LABEL}}", DIM), (words, "bold" if strong else ""), no_wrap=True
    )


def authority_box(reading: SceneReading, width: int) -> list[Text]:
    """Return each tool's rule, what of it is used, and the last decision."""
    rules = dict(reading.intro["rules"])
    rows = [_HEADING, *(_authority(reading, tool, rules) for tool in TOOLS)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    hidden = _KIND if sum(widths) + _GAP * (len(widths) - 1) > width - 4 else None
    lines = [_cells(row, widths, hidden) for row in rows]
    lines[0].stylize(DIM)
    name = "THE AUTHORITY" if rules else "THE AUTHORITY: there is none"
    return box(lines, width=width, name=name, state="", foot="", style=AUTHORITY_STYLE)


_HEADING = ("tool", "kind", "rule", "used", "last decision")
_KIND = _HEADING.index("kind")
_GAP = 2


def _cells(row: tuple[str, ...], widths: list[int], hidden: int | None) -> Text:
    """A row; without the kinds, if there is no room for them."""
    cells = [
        f"{cell:<{width + _GAP}}"
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        if at != hidden
    ]
    return Text(
        "".join(cells).rstrip(), _BAD if row[-1] not in ("", "allowed", _HEADING[-1]) else ""
    )


def _authority(reading: SceneReading, tool: str, rules: dict[str, str]) -> tuple[str, ...]:
    decisions = [turn.asked for turn in reading.turns if turn.tool == tool and turn.asked]
    last = decision_words(decisions[-1]) if decisions else ""
    rule = rules.get(tool, "free" if rules and tool == READ else "")
    return tool, actions()[tool].kind, rule, reading.used_of(tool), last
