"""Step curves in a terminal, in braille: eight dots to a character.

The curves differ in colour and in pattern, so the chart can be read without colour.
"""

import itertools

from rich.text import Text

from runcycles_demos.kit.curves import Curve, Plot, ticks

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # by column, then row from the top
_BLANK = 0x2800  # the character without any dot
_DASH = 4  # half of so many columns is drawn, the other half left out
_LABEL_EVERY = 16  # characters of the time axis for each of its labels
_AXIS = 7  # width of the labels on the left


class _Canvas:
    """A grid of characters, each of two dots by four."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._cells = [[0] * width for _ in range(height)]
        self._words: dict[tuple[int, int], str] = {}
        self._styles: dict[tuple[int, int], str] = {}

    def dot(self, x: int, y: int, style: str) -> None:
        """Set one dot, counted from the bottom left; what was drawn last gives its colour."""
        column, row = x // 2, self.height - 1 - y // 4
        if 0 <= column < self.width and 0 <= row < self.height:
            self._cells[row][column] |= _DOTS[x % 2][3 - y % 4]
            self._styles[row, column] = style

    def write(self, column: int, row: int, text: str, style: str) -> None:
        """Put words into cells that are still empty; one that is not stays as it is."""
        for offset, letter in enumerate(text):
            place = (row, column + offset)
            if place[1] < self.width and not self._cells[row][place[1]]:
                self._words[place] = letter
                self._styles[place] = style

    def row(self, row: int) -> Text:
        """Return one line of the canvas; neighbours of one style are one span."""
        places = [(row, column) for column in range(self.width)]
        runs = itertools.groupby(places, key=lambda place: self._styles.get(place, ""))
        return Text.assemble(*(("".join(map(self._letter, run)), style) for style, run in runs))

    def _letter(self, place: tuple[int, int]) -> str:
        dots = self._cells[place[0]][place[1]]
        return chr(_BLANK + dots) if dots else self._words.get(place, " ")


def draw(plot: Plot, *, width: int, height: int, styles: tuple[str, ...], dim: str) -> list[Text]:
    """Return the plot as lines of at most `width` characters; `height` counts the time axis."""
    canvas = _Canvas(max(1, width - _AXIS), max(2, height - 1))
    for number, (curve, style) in enumerate(zip(plot.curves, styles, strict=True)):
        _trace(canvas, plot, curve, style, solid=number == 0)
    _note(canvas, plot, styles[-1])
    for column in range(0, canvas.width, 2):
        canvas.write(column, _row(canvas, plot, plot.limit), "╌", dim)
    labels = {_row(canvas, plot, value): plot.label(value) for value in ticks(plot.top, about=2)}
    labels[_row(canvas, plot, plot.limit)] = plot.label(plot.limit)
    lines = [
        Text.assemble((f"{labels.get(row, ''):>{_AXIS - 2}} ┤", dim), canvas.row(row))
        for row in range(canvas.height)
    ]
    return [*lines, _time_axis(plot, canvas.width, dim)]


def _row(canvas: _Canvas, plot: Plot, value: float) -> int:
    return canvas.height - 1 - _height(canvas, plot, value) // 4


def _height(canvas: _Canvas, plot: Plot, value: float) -> int:
    return min(canvas.height * 4 - 1, round(value / plot.top * (canvas.height * 4 - 1)))


def _trace(canvas: _Canvas, plot: Plot, curve: Curve, style: str, *, solid: bool) -> None:
    """Draw a curve as far as it is known, its steps joined from one column to the next."""
    columns = canvas.width * 2
    before = 0
    for x in range(columns):
        t = (x + 0.5) / columns * plot.seconds
        if t > curve.until:
            break
        y = _height(canvas, plot, curve.at(t))
        if solid or x % _DASH < _DASH // 2:
            for dot in range(min(before + 1, y), y + 1):
                canvas.dot(x, dot, style)
        before = y


def _note(canvas: _Canvas, plot: Plot, style: str) -> None:
    """Write what was marked below the mark, where no curve runs."""
    mark = plot.mark
    if mark is None:
        return
    row = _row(canvas, plot, mark.value) + 1
    if row < canvas.height:
        canvas.write(int(mark.t / plot.seconds * canvas.width) + 1, row, f"└ {mark.text}", style)


def _time_axis(plot: Plot, width: int, dim: str) -> Text:
    line = [" "] * width
    for t in ticks(plot.seconds, about=max(2, width // _LABEL_EVERY)):
        label = f"{t:g} s"
        end = min(width, int(t / plot.seconds * width) + len(label))
        line[end - len(label) : end] = label
    return Text(" " * _AXIS + "".join(line), style=dim, no_wrap=True)
