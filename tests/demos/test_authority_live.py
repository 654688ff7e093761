"""The live view of action authority in a real terminal, and what a Ctrl-C in it leaves behind."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runcycles_demos.authority.actions import EMAIL, TOOLS
from runcycles_demos.authority.introduction import introduction
from runcycles_demos.authority.reading import SceneReading
from runcycles_demos.authority.render_live import frame
from runcycles_demos.authority.terms import AGENT_LANE, BOTH, NEXT_EMAIL, STOP_ALL, UNGATED, Terms
from runcycles_demos.kit.timeline import Timeline
from tests.demos.gone import descendants, still_there
from tests.demos.terminal import CURSOR_UP, in_terminal, rows_of

ZERO = ("--engine", "plain", "--scene", "zero-budget")


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (100, 30)])
def test_the_live_view_fits_its_terminal_and_shows_the_refusal_and_the_world(
    columns: int, rows: int, scratch: Path
) -> None:
    terminal = in_terminal("authority", columns, rows, "--period-ms", "50", *ZERO)
    output = terminal.read()
    terminal.close()
    assert terminal.exitstatus == 0, output
    assert "Traceback" not in output
    assert CURSOR_UP.search(output)  # it was redrawn in place
    assert max(map(len, rows_of(output))) <= columns
    last_frame = output[output.rindex("THE AGENT") :]
    assert "409 BUDGET_EXCEEDED" in last_frame
    assert "0 e-mails" in last_frame
    assert "sentences hold" in last_frame
    assert list(scratch.glob("cycles-demo-*")) == []


def test_a_terminal_that_wants_no_colour_gets_lines(scratch: Path) -> None:
    terminal = in_terminal("authority", 100, 30, "--fast", "--no-color", *ZERO)
    output = terminal.read()
    terminal.close()
    assert terminal.exitstatus == 0
    assert "\x1b[" not in output
    assert "409 BUDGET_EXCEEDED" in output


def test_ctrl_c_gives_the_terminal_back(scratch: Path) -> None:
    terminal = in_terminal("authority", 100, 30, "--period-ms", "60000", *ZERO)
    terminal.expect_exact("at work")
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


def test_an_interrupted_document_says_how_far_it_went(scratch: Path) -> None:
    command = [sys.executable, "-m", "runcycles_server", "demo", "authority", "--json"]
    with subprocess.Popen(
        [*command, "--period-ms", "60000", *ZERO], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while not an_agent_is_at_work(scratch):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    document = json.loads(output)
    assert (document["complete"], document["ok"]) == (False, False)
    assert document["scenes"][0]["assertions"] == []


def an_agent_is_at_work(scratch: Path) -> bool:
    kept = scratch.glob("cycles-demo-*/agent.out")
    return any("ready" in path.read_text(encoding="utf-8") for path in kept)


def made_reading(
    scene: str, turns: int, *, agents: tuple[str, ...] = (AGENT_LANE,)
) -> SceneReading:
    timeline = Timeline()
    timeline.add(0.0, BOTH, "introduced", **introduction(Terms(scene=scene)))
    for agent in agents:
        timeline.add(0.0, agent, "run_started", run_id="run-1")
        for number in range(turns):
            tool = TOOLS[number % len(TOOLS)]
            wants = [{"tool": tool, "case_id": "4782"}]
            timeline.add(number, agent, "model_asked", told="", wants=wants, phase=1)
            if scene != UNGATED:
                answer = {"allowed": tool != EMAIL, "http": 409, "code": "ACTION_QUOTA_EXCEEDED"}
                asked = {"tool": tool, "key": f"{number}", "ms": 1234.5}
                timeline.add(number, agent, "asked", **asked, **answer)
            timeline.add(number, agent, "body_entered", tool=tool)
            told = {"effect": "email", "case": "jane@acme.example", "text": "t" * 99}
            timeline.add(number, BOTH, "effect", phase=1, **told)
    timeline.add(3.0, BOTH, "server_stopped")
    action = {"action": "fund", "target": "tenant:x/toolset:send-email", "reason": "r" * 99}
    timeline.add(3.0, BOTH, "operator_action", **action)
    return SceneReading.of(timeline)


@pytest.mark.parametrize("scene", [UNGATED, NEXT_EMAIL, STOP_ALL])
@pytest.mark.parametrize("width", [40, 60, 80, 95, 96, 100, 140, 250])
@pytest.mark.parametrize("height", [5, 16, 24, 60])
def test_a_frame_fits_every_terminal(scene: str, width: int, height: int) -> None:
    for turns in (0, 4, 30):
        lines = frame(made_reading(scene, turns), width, height)
        assert max(line.cell_len for line in lines) <= width
        assert len(lines) <= height


def test_the_frame_says_whose_step_it_is_where_two_agents_are_at_work() -> None:
    lines = frame(made_reading(STOP_ALL, 3, agents=("acme", "globex")), 100, 30)
    assert any("acme" in line.plain for line in lines)
    assert any("globex" in line.plain for line in lines)


def test_a_tool_that_ran_although_it_was_refused_is_cried_out() -> None:
    lines = frame(made_reading(STOP_ALL, 5), 100, 30)
    assert any("RAN, and nobody had said yes" in line.plain for line in lines)
