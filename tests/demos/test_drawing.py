import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from rich.text import Text

from runcycles_demos.kit import chart, svg
from runcycles_demos.kit.boxes import beside, box
from runcycles_demos.kit.curves import Curve, Mark, Plot, ticks
from runcycles_demos.kit.money import dollars

SVG = "{http://www.w3.org/2000/svg}"
BRAILLE = range(0x2801, 0x2900)


def plot(*, mark: bool = True, seconds: float = 12.0) -> Plot:
    steep = [(0.012 * k, 0.01 * (k + 1)) for k in range(1_000)]
    return Plot(
        title="bills & limits",
        caption=("engine plain", "one call per 12 ms"),
        curves=(
            Curve(name="without", summary="$10.00", steps=steep, until=12.0),
            Curve(name="with", summary="$1.00", steps=steep[:100], until=12.0),
        ),
        limit=1.0,
        limit_text="limit $1.00",
        mark=Mark(t=1.2, value=1.0, text="409, call 101") if mark else None,
        seconds=seconds,
        top=10.0,
    )


def braille(lines: list[Text]) -> int:
    return sum(ord(letter) in BRAILLE for line in lines for letter in line.plain)


def test_the_picture_is_well_formed_and_holds_both_curves_the_limit_and_the_mark() -> None:
    root = ET.fromstring(svg.draw(plot()))
    curves = [
        path.get("class") for path in root.iter(f"{SVG}path") if "curve" in path.get("class", "")
    ]
    assert curves == ["curve first", "curve second"]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"409, call 101", "limit $1.00", "bills & limits", "engine plain"} <= set(texts)
    assert {"0 s", "12 s", "$0", "$10"} <= set(texts)
    assert [line.get("class") for line in root.iter(f"{SVG}line")].count("limit") == 1


def test_a_curve_keeps_its_last_value_to_the_end_of_the_picture() -> None:
    root = ET.fromstring(svg.draw(plot()))
    first, second = (
        path.get("d", "") for path in root.iter(f"{SVG}path") if "curve" in path.get("class", "")
    )
    assert first.rpartition("H")[2] == second.rpartition("H")[2]


def test_a_race_without_a_refusal_has_no_mark() -> None:
    assert "409, call" not in svg.draw(plot(mark=False))


def test_a_late_refusal_is_named_below_the_rising_curve_where_no_line_crosses_it() -> None:
    late = replace(plot(), mark=Mark(t=6.0, value=1.0, text="409, call 101"))
    assert "leader" in classes(svg.draw(plot()))
    assert "leader" not in classes(svg.draw(late))
    assert "409, call 101" in svg.draw(late)


def classes(picture: str) -> set[str | None]:
    return {element.get("class") for element in ET.fromstring(picture).iter()}


def test_a_curve_that_has_not_begun_is_drawn_as_nothing() -> None:
    empty = Curve(name="with", summary="", steps=(), until=0.0)
    assert (empty.last, empty.at(1.0)) == (0.0, 0.0)


def test_a_curve_has_the_value_of_its_last_step() -> None:
    curve = Curve(name="with", summary="", steps=((1.0, 5.0), (2.0, 7.0)), until=3.0)
    assert [curve.at(t) for t in (0.5, 1.0, 1.9, 2.0, 9.0)] == [0.0, 5.0, 5.0, 7.0, 7.0]


@pytest.mark.parametrize(
    ("length", "about", "marks"),
    [
        (12.0, 6, [0, 2, 4, 6, 8, 10, 12]),
        (10.0, 5, [0, 2, 4, 6, 8, 10]),
        (2.3, 5, [0, 0.5, 1, 1.5, 2]),
        (0.0, 5, [0]),
    ],
)
def test_axes_are_marked_at_round_numbers(length: float, about: int, marks: list[float]) -> None:
    assert ticks(length, about=about) == marks


@pytest.mark.parametrize(("width", "height"), [(100, 18), (80, 8), (40, 5), (20, 3)])
def test_a_chart_fits_the_room_it_is_given(width: int, height: int) -> None:
    lines = chart.draw(plot(), width=width, height=height, styles=("red", "blue"), dim="dim")
    assert len(lines) == height
    assert max(line.cell_len for line in lines) <= width
    assert braille(lines) > width / 2


def test_a_chart_draws_no_further_than_its_curves_are_known() -> None:
    early, late = (
        braille(chart.draw(plot(seconds=s), width=80, height=10, styles=("", ""), dim=""))
        for s in (24.0, 12.0)
    )
    assert early < late


def test_a_chart_names_the_moment_of_the_refusal() -> None:
    lines = chart.draw(plot(), width=80, height=16, styles=("", ""), dim="")
    assert any("409, call 101" in line.plain for line in lines)


@pytest.mark.parametrize("width", [20, 39, 80])
def test_a_box_is_as_wide_as_it_was_asked_to_be(width: int) -> None:
    lines = box(
        [Text("short"), Text("long " * 30)],
        width=width,
        name="a name of some length",
        state="STOPPED 1.23 s",
        foot="a foot",
        style="red",
    )
    assert {line.cell_len for line in lines} == {width}
    assert {line.cell_len for line in beside(lines, lines)} == {2 * width}


@pytest.mark.parametrize(
    ("microcents", "text"),
    [
        (0, "$0.00"),
        (1_000_000, "$0.01"),
        (1_000_000_000, "$10.00"),
        (123_456_700_000_000, "$1,234,567.00"),
        (1, "$0.00000001"),
        (1_500_000, "$0.015"),
        (-1_000_000, "−$0.01"),
    ],
)
def test_dollars_have_two_decimals_or_as_many_as_they_need(microcents: int, text: str) -> None:
    assert dollars(microcents) == text
