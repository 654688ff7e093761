"""Frames with a name on the left and a state on the right, which rich's own panel cannot have."""

from collections.abc import Sequence

from rich.text import Text


def box(
    lines: Sequence[Text], *, width: int, name: str, state: str, foot: str, style: str
) -> list[Text]:
    """Return the lines in a frame, each exactly `width` characters wide."""
    inner = width - 4
    return [
        _edge(("╭", "╮"), name, state, width=width, style=style),
        *(_side(line, inner, style) for line in lines),
        _edge(("╰", "╯"), foot, "", width=width, style=style),
    ]


def beside(left: Sequence[Text], right: Sequence[Text]) -> list[Text]:
    """Return two columns of lines as one; both must have the same number of lines."""
    return [Text.assemble(a, b, no_wrap=True) for a, b in zip(left, right, strict=True)]


def _side(line: Text, inner: int, style: str) -> Text:
    content = line.copy()
    content.truncate(inner, overflow="ellipsis", pad=True)
    return Text.assemble(("│ ", style), content, (" │", style), no_wrap=True)


def _edge(corners: tuple[str, str], name: str, state: str, *, width: int, style: str) -> Text:
    left, right = corners
    name, state = (f" {word} " if word else "" for word in (name, state))
    name = name[: width - 4]
    state = state[: max(0, width - 4 - len(name))]
    rule = "─" * (width - 4 - len(name) - len(state))
    return Text.assemble(
        (f"{left}─", style), (name, f"bold {style}"), (rule, style), (state, f"bold {style}"),
        (f"─{right}", style), no_wrap=True,
    )  # fmt: skip
