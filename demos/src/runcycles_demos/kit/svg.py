"""A plot as an SVG document, written by hand: no library, no script, legible on light and dark.

The two curves differ in colour and in dash, so the picture can be read in grey as well.
"""

from xml.sax.saxutils import escape

from runcycles_demos.kit.curves import Curve, Plot, ticks

_SVG = "http://www.w3.org/2000/svg"
_WIDTH, _HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 190, 84, 104  # the last two hold the title and the caption
_MARK_LIFT = 86  # high enough above the marked moment to stay clear of the rising curve
_ROOM = 0.15  # of the picture's height: with more below the rising curve, words fit there

_STYLE = """
  .page { fill: #ffffff; stroke: #d8dee4 }
  text { fill: #57606a; font: 14px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif }
  .title { fill: #1f2328; font-size: 20px; font-weight: 600 }
  .caption { font-size: 12.5px }
  .strong { font-weight: 600; font-size: 15px }
  .grid { stroke: #eaeef2 } .axis { stroke: #afb8c1 }
  .curve { fill: none; stroke-width: 2.6; stroke-linejoin: round; stroke-linecap: round }
  .first { stroke: #d1480b } .second { stroke: #0969b8; stroke-dasharray: 9 5 }
  .first-text { fill: #b83d06 } .second-text { fill: #0860a8 }
  .first-area { fill: #d1480b; opacity: .08 } .second-area { fill: #0969b8; opacity: .16 }
  .limit { stroke: #6e7781; stroke-width: 1.4; stroke-dasharray: 2 5 }
  .mark { fill: #ffffff; stroke: #0969b8; stroke-width: 2.6 } .leader { stroke: #0969b8 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #30363d }
    text { fill: #9da7b1 } .title { fill: #f0f3f6 }
    .grid { stroke: #1f262e } .axis { stroke: #545d68 }
    .first { stroke: #ff8a4c } .second { stroke: #58b0ff }
    .first-text { fill: #ff9d68 } .second-text { fill: #79c0ff }
    .first-area { fill: #ff8a4c; opacity: .10 } .second-area { fill: #58b0ff; opacity: .18 }
    .limit { stroke: #8b949e } .mark { fill: #0d1117; stroke: #58b0ff } .leader { stroke: #58b0ff }
  }
"""


def draw(plot: Plot) -> str:
    """Return the plot as an SVG document."""
    frame = _Frame(plot)
    first, second = plot.curves
    words = f"{first.name}: {first.summary}. {second.name}: {second.summary}."
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    body = [
        f'<svg xmlns="{_SVG}" {size} role="img" aria-labelledby="title words">',
        f'<title id="title">{escape(plot.title)}</title>',
        f'<desc id="words">{escape(words)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="page" x=".5" y=".5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" rx="10"/>',
        _text(_LEFT - 44, 40, plot.title, "title"),
        *frame.axes(),
        *frame.curve(first, "first"),
        *frame.curve(second, "second"),
        *frame.limit(),
        *frame.mark(),
        *frame.names(),
        *(
            _text(_LEFT - 44, _HEIGHT - 38 + 19 * row, line, "caption")
            for row, line in enumerate(plot.caption)
        ),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


class _Frame:
    """Where a moment and a value lie on the page, and what is drawn there."""

    def __init__(self, plot: Plot) -> None:
        self.plot = plot
        self.right, self.bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def x(self, t: float) -> float:
        return _LEFT + (self.right - _LEFT) * t / self.plot.seconds

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - _TOP) * value / self.plot.top

    def axes(self) -> list[str]:
        drawn = []
        for value in ticks(self.plot.top, about=5):
            y = self.y(value)
            drawn.append(_line(_LEFT, y, self.right, y, "grid" if value else "axis"))
            drawn.append(_text(_LEFT - 10, y + 5, self.plot.label(value), anchor="end"))
        for t in ticks(self.plot.seconds, about=6):
            drawn.append(_line(self.x(t), self.bottom, self.x(t), self.bottom + 5, "axis"))
            drawn.append(_text(self.x(t), self.bottom + 24, f"{t:g} s", anchor="middle"))
        return drawn

    def curve(self, curve: Curve, style: str) -> list[str]:
        """The steps, and the area below them; steps that fall on one pixel become one."""
        path, x, y = [f"M{self.x(0):.1f} {self.y(0):.1f}"], self.x(0), self.y(0)
        for t, value in curve.steps:
            if self.x(t) - x >= 1 or (t, value) == curve.steps[-1]:
                x, y = self.x(t), self.y(value)
                path.append(f"H{x:.1f}V{y:.1f}")
        path.append(f"H{self.x(curve.until):.1f}")
        line = "".join(path)
        return [
            f'<path class="{style}-area" d="{line}V{self.bottom}H{_LEFT}Z"/>',
            f'<path class="curve {style}" d="{line}"><title>{escape(curve.name)}</title></path>',
        ]

    def limit(self) -> list[str]:
        y = self.y(self.plot.limit)
        return [
            _line(_LEFT, y, self.right, y, "limit"),
            _text(self.right - 10, y + 21, self.plot.limit_text, "second-text", anchor="end"),
        ]

    def mark(self) -> list[str]:
        mark = self.plot.mark
        if mark is None:
            return []
        x, y = self.x(mark.t), self.y(mark.value)
        circle = f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="5.5"/>'
        above = self.plot.curves[0].at(mark.t) - mark.value
        if above > _ROOM * self.plot.top:
            return [circle, _text(x + 4, y - 14, mark.text, "strong second-text")]
        return [
            _line(x, y, x, y - _MARK_LIFT, "leader"),
            circle,
            _text(max(_LEFT + 8, x - 40), y - _MARK_LIFT - 8, mark.text, "strong second-text"),
        ]

    def names(self) -> list[str]:
        """Each curve's name and what it came to, at its end; the limit's name on its line."""
        drawn = []
        for curve, style in zip(self.plot.curves, ("first-text", "second-text"), strict=True):
            y = self.y(curve.last)
            drawn.append(_text(self.right + 12, y - 2, curve.name, f"strong {style}"))
            drawn.append(_text(self.right + 12, y + 17, curve.summary, style))
        return drawn


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, style: str = "", *, anchor: str = "start") -> str:
    classes = f' class="{style}"' if style else ""
    return f'<text{classes} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
