"""Curves as SVG documents: logarithmic x, linear y from zero, legible on light and dark."""

from collections.abc import Mapping
from math import log10
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 100, 78, 56
COLOURS = ("#d1480b", "#0969b8", "#1a7f37")
DASHES = ("", "9 5", "2 4")
STYLE = """
  .page { fill: #ffffff; stroke: #d8dee4 } text { fill: #57606a; font: 13px system-ui, sans-serif }
  .title { fill: #1f2328; font-size: 17px; font-weight: 600 } .grid { stroke: #d8dee4 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #30363d } text { fill: #9da7b1 } .title { fill: #f0f3f6 }
    .grid { stroke: #30363d }
  }
"""
Curves = Mapping[str, Mapping[float, float]]


def draw(title: str, x_name: str, y_name: str, curves: Curves) -> str:
    """The picture of some curves; each is a mapping of x to y."""
    xs = sorted({x for curve in curves.values() for x in curve})
    top = _round_up(max(y for curve in curves.values() for y in curve.values()))
    first, span = log10(xs[0]), (log10(xs[-1]) - log10(xs[0])) or 1

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (log10(x) - first) / span * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM), 1)

    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="page" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
        f'<text class="title" x="20" y="32">{escape(title)}</text>',
        _text(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 14, x_name, "middle"),
        _text(20, TOP - 22, y_name, "start"),
    ]
    for step in range(5):
        value = top * step / 4
        left, height = place(xs[0], value)
        right = WIDTH - RIGHT
        body.append(f'<path class="grid" d="M{left} {height}H{right}"/>')
        words = f"{value:,.0f}" if value.is_integer() else f"{value:g}"
        body.append(_text(LEFT - 8, height + 4, words, "end"))
    body += [_text(place(x, 0)[0], HEIGHT - BOTTOM + 20, f"{x:,}", "middle") for x in xs]
    for number, (name, curve) in enumerate(curves.items()):
        points = [place(x, y) for x, y in sorted(curve.items())]
        line = " ".join(f"{across},{height}" for across, height in points)
        colour, dash = COLOURS[number], DASHES[number]
        body.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5" '
            f'stroke-dasharray="{dash}"/>'
        )
        across, height = points[-1]
        label = (
            f'<text x="{across + 8}" y="{height + 4}" style="fill:{colour}">{escape(name)}</text>'
        )
        body.append(label)
    return "\n".join([*body, "</svg>", ""])


def keep(found: Mapping[str, Any], folder: Path) -> None:
    """Draw whatever was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, str] = {}
    if rows := found.get("throughput"):
        pictures["bench-throughput"] = draw(
            "Requests a second, by connections",
            "connections",
            "a second",
            {"reserve": _of(rows, "reserve_per_s"), "echo": _of(rows, "echo_per_s")},
        )
        pictures["bench-latency"] = draw(
            "Latency of a durable reservation, by connections",
            "connections",
            "ms",
            {"p50": _of(rows, "reserve_p50_ms"), "p99": _of(rows, "reserve_p99_ms")},
        )
    if rows := found.get("stored"):
        pictures["bench-stored"] = draw(
            "Reservations a second, by how many are stored",
            "stored",
            "a second",
            {
                keys: {x: y for x, y in _of(rows[keys], "reserve_per_s").items() if x}
                for keys in rows
            },
        )
    if rows := found.get("scopes"):
        pictures["bench-scopes"] = draw(
            "Reservations a second, by scopes",
            "scopes",
            "a second",
            {"reserve": _of(rows, "reserve_per_s")},
        )
    for name, picture in pictures.items():
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")


def _of(rows: Mapping[str, Any], figure: str) -> dict[float, float]:
    return {int(x): row[figure] for x, row in rows.items()}


def _round_up(value: float) -> float:
    step = 10 ** int(log10(value)) / (1 if value >= 1 else 10)
    return float(-(-value // step) * step)


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'
