"""Every block of every page runs, and prints what the page says it prints."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from runcycles.ledger.lifecycle import TRANSITIONS, Step
from runcycles.types import ReservationStatus
from tests.docs.blocks import Block, blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *("README.md", "packages/core/README.md", "packages/server/README.md", "demos/README.md"),
    "docs/performance.md",
]
ADAPTERS = ["langchain", "openai_agents", "crewai"]
"""Their pages need their frameworks and a scripted model; `tests/adapters` runs them."""
BLOCKS = [block for page in PAGES for block in blocks(ROOT, page)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
COMMANDS = [block for block in BLOCKS if block.language == "sh"]
LANGUAGES = {"python", "sh", "mermaid", "json", "ini"}

DEADLINE_S = 120


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment that `cycles dev`, started as the README says, asks one to export."""
    folder = tmp_path_factory.mktemp("dev")
    command = [*cycles("dev", "--budget", "5usd"), "--json", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        told = json.loads(started.stdout.readline())
        yield {
            "CYCLES_BASE_URL": told["base_url"],
            "CYCLES_API_KEY": told["api_key"],
            "CYCLES_TENANT": told["tenant"],
            "CYCLES_ADMIN_KEY": told["admin_key"],
        }
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=30) == 0


def cycles(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "runcycles_server", *arguments]


def ran(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a command prints; it has to succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_the_python_on_a_page_runs_and_prints_what_the_page_says(
    block: Block, dev: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "block.py"
    script.write_text(block.code, encoding="utf-8")
    printed = ran([sys.executable, str(script)], tmp_path, dev)
    if block.output is not None:
        assert printed == block.output


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_every_command_on_a_page_works(
    block: Block, dev: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for line in block.code.splitlines():
        command = line.partition(" #")[0].strip()
        if not command or command.startswith("export "):
            continue
        run_like_a_reader(shlex.split(command), dev, tmp_path)


def run_like_a_reader(words: list[str], dev: dict[str, str], folder: Path) -> None:
    """Run a command of a page; the few that would nest or never end run in their own fixtures."""
    match words:
        case ["pip", "install", "uv"] | ["uv", "run", "poe", "test"]:
            assert shlex.join(words[-2:]) in (ROOT / ".ci/run").read_text(encoding="utf-8")
        case ["uv", "run", "poe", "bench", *arguments]:
            read = f"from tests.benchmarks.__main__ import parsed; parsed({arguments})"
            ran([sys.executable, "-c", read], ROOT, dev)  # measuring takes ten minutes
        case ["uv", "run", "python", *arguments]:
            ran([sys.executable, *arguments], ROOT, dev)
        case ["uv", "run", "poe", task]:
            assert (
                task in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["poe"]["tasks"]
            )
        case ["uv", "run", "cycles", "dev", *_] | ["cycles", "dev", *_]:
            ran([*cycles(*words[words.index("dev") :]), "--help"], folder, dev)
        case ["uv", "run", "cycles", "serve", *_] | ["cycles", "serve", *_]:
            ran([*cycles(*words[words.index("serve") :]), "--help"], folder, dev)
        case ["uv", "run", "cycles", *arguments] | ["cycles", *arguments]:
            ran(cycles(*arguments), folder, dev)
        case ["pip", "install", *packages]:
            install_as_a_reader(packages, folder)
        case _:
            raise AssertionError(f"a page shows a command that no test knows how to run: {words}")


def install_as_a_reader(packages: list[str], folder: Path) -> None:
    """Install from the checkout into a fresh environment, and see that it is ours."""
    ran([sys.executable, "-m", "venv", str(folder / "fresh")], folder, {})
    python = str(folder / "fresh/bin/python")
    ran([python, "-m", "pip", "install", "--quiet", *packages], ROOT, {})
    script = (
        "import importlib.metadata as m, runcycles; assert hasattr(runcycles, 'cycles');"
        "print(m.version('runcycles'))"
    )
    assert ran([python, "-c", script], folder, {}) == "1.0.0\n"


def test_a_page_uses_only_languages_that_a_test_runs() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES


def test_every_page_is_run_here_or_beside_its_adapter() -> None:
    pages = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("packages/*/README.md")}
    assert pages - set(PAGES) == {f"packages/{adapter}/README.md" for adapter in ADAPTERS}
    assert all((ROOT / f"tests/adapters/{each}/test_readme.py").exists() for each in ADAPTERS)
    assert len(PYTHON) >= 3


def test_a_block_that_lies_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("```python\nprint(2)\n```\n\n```text\n3\n```\n")
    (block,) = blocks(tmp_path, "page.md")
    assert block.output == "3\n"
    assert ran([sys.executable, "-c", block.code], tmp_path, {}) != block.output


def test_the_picture_of_a_reservations_life_is_the_ledgers_own_table() -> None:
    drawn = next(block.code for block in BLOCKS if block.language == "mermaid")
    edges = [f"    {before} --> {after}: {step}" for (before, step), after in TRANSITIONS.items()]
    start = f"    [*] --> {ReservationStatus.ACTIVE}: reserve"
    assert drawn.splitlines() == ["stateDiagram-v2", start, *edges]
    assert {step for _, step in TRANSITIONS} == set(Step)


def test_the_readme_names_the_test_command_that_ci_runs() -> None:
    assert "uv run poe test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "uv run poe test" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_link_to_a_file_leads_somewhere() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
