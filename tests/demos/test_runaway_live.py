"""The live view in a real terminal, and what a Ctrl-C in it leaves behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.runaway.engine import CENT
from runcycles_demos.runaway.introduction import introduction
from runcycles_demos.runaway.reading import SceneReading
from runcycles_demos.runaway.render_live import frame
from runcycles_demos.runaway.terms import BOTH, GUARDED, SCENES, SHADOW, UNGUARDED, Terms
from tests.demos.gone import descendants, still_there
from tests.demos.terminal import CURSOR_UP, in_terminal, rows_of

COMMAND = ["-m", "runcycles_server", "demo", "runaway"]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (100, 30)])
def test_the_live_view_fits_its_terminal_and_ends_with_the_refusal(
    columns: int, rows: int, scratch: Path
) -> None:
    terminal = in_terminal("runaway", columns, rows, "--period-ms", "3")
    output, _, sentence = terminal.read().partition("cycles demo runaway: ")
    terminal.close()
    assert terminal.exitstatus == (3 if "behind the pace" in sentence else 0), output
    assert "Traceback" not in output
    assert CURSOR_UP.search(output)  # it was redrawn in place
    assert max(map(len, rows_of(output))) <= columns
    last_frame = output[output.rindex("WITHOUT Cycles") :]
    assert "409 BUDGET_EXCEEDED" in last_frame
    assert "body of call 101 never ran" in last_frame
    assert "who says so" in last_frame
    assert list(scratch.glob("cycles-demo-*")) == []


@pytest.mark.parametrize("wish", [["--plain"], ["--no-color"], []])
def test_a_terminal_that_wants_no_colour_gets_lines(wish: list[str], scratch: Path) -> None:
    arguments = ["--fast", *wish]
    terminal = pexpect.spawn(
        sys.executable,
        [*COMMAND, *arguments],
        dimensions=(30, 100),
        encoding="utf-8",
        timeout=40,
        env={**os.environ, "TERM": "xterm-256color", **({} if wish else {"NO_COLOR": "1"})},
    )
    output = terminal.read()
    terminal.close()
    assert terminal.exitstatus == 0
    assert "\x1b[" not in output
    assert "call 101 refused: 409 BUDGET_EXCEEDED" in output


@pytest.fixture
def running(scratch: Path) -> Iterator[subprocess.Popen[str]]:
    """A race in full swing, in plain lines."""
    process = subprocess.Popen(
        [sys.executable, *COMMAND, "--plain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if "call 101 refused" in line:
                break
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_stops_it_leaves_nothing_behind(
    number: signal.Signals, running: subprocess.Popen[str], scratch: Path
) -> None:
    children = descendants(running.pid)
    assert len(children) >= 3  # the model, the server, the unguarded agent
    running.send_signal(number)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert errors.startswith("cycles demo runaway: interrupted after ")
    assert still_there(children) == []
    assert list(scratch.iterdir()) == []


def test_ctrl_c_gives_the_terminal_back(scratch: Path) -> None:
    terminal = in_terminal("runaway", 100, 30)
    terminal.expect_exact("409 BUDGET_EXCEEDED")
    assert terminal.pid is not None
    children = descendants(terminal.pid)
    terminal.sendintr()
    output = terminal.read()
    terminal.close()
    assert terminal.exitstatus == 130
    assert "interrupted after" in output
    assert output.rindex("\x1b[?25h") > output.rfind("\x1b[?25l")  # the cursor is back
    assert still_there(children) == []
    assert list(scratch.iterdir()) == []


def test_nothing_survives_a_demo_that_is_killed(running: subprocess.Popen[str]) -> None:
    children = descendants(running.pid)
    running.kill()
    running.communicate(timeout=20)
    assert still_there(children) == []


def test_an_interrupted_document_says_how_far_it_went(scratch: Path) -> None:
    with subprocess.Popen(
        [sys.executable, *COMMAND, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while not a_lane_has_stopped(scratch):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.05)
            assert process.returncode is None
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    document = json.loads(output)
    assert (document["complete"], document["ok"]) == (False, False)
    lanes = document["scenes"][0]["lanes"]
    # as the bill stood when it was read last, which may be a moment before the lane stopped
    assert 0 < lanes["guarded"]["provider"]["requests"] <= 100
    assert 0 < lanes["unguarded"]["provider"]["requests"] < 1_000
    assert document["scenes"][0]["assertions"] == []


def a_lane_has_stopped(scratch: Path) -> bool:
    """Return whether the guarded lane has told of its end, in the output that is kept of it."""
    kept = scratch.glob("cycles-demo-*/guarded.out")
    return any("lane_stopped" in path.read_text(encoding="utf-8") for path in kept)


def test_another_scene_has_a_live_view_too(scratch: Path) -> None:
    terminal = in_terminal("runaway", 80, 30, "--fast", "--scene", "tokens")
    output = terminal.read()
    terminal.close()
    assert terminal.exitstatus == 0, output
    assert max(map(len, rows_of(output))) <= 80
    last_frame = output[output.rindex("WITH Cycles, limit $1.00") :]
    assert "409 BUDGET_EXCEEDED" in last_frame
    assert "Of $" in last_frame


def made_reading(scene: str, seconds: float) -> SceneReading:
    timeline = Timeline()
    terms = Terms(scene=scene)
    timeline.add(0.0, BOTH, "introduced", **introduction(terms))
    for lane in terms.lanes:
        timeline.add(0.1, lane, "call_started", call=1, step="evaluate")
        timeline.add(0.1, lane, "call_finished", call=1, score=6.4)
        timeline.add(seconds, lane, "bill_read", requests=100, microcents=100 * CENT)
        if lane != UNGUARDED:
            timeline.add(seconds, lane, "ledger_read", spent=99 * CENT, reserved=CENT)
        if scene == SHADOW:
            timeline.add(1.2, lane, "asked", op="dry_run", call=101, refused="BUDGET_EXCEEDED")
    if GUARDED in terms.lanes:
        told = {"http": 409, "error": "BUDGET_EXCEEDED", "scope": "t" * 99}
        timeline.add(1.2, GUARDED, "reserve_denied", call=101, **told)
    return SceneReading.of(timeline)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("width", [40, 60, 80, 99, 100, 101, 130, 250])
@pytest.mark.parametrize("height", [5, 16, 24, 60])
def test_a_frame_fits_every_terminal(scene: str, width: int, height: int) -> None:
    for seconds in (0.1, 6.0, 30.0):
        lines = frame(made_reading(scene, seconds), width, height)
        assert max(line.cell_len for line in lines) <= width
        assert len(lines) <= height
