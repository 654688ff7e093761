import re
from inspect import signature
from pathlib import Path

from runcycles.calls import CallGuards
from runcycles_crewai import cycles_crew, guard_tool
from tests.adapters.examples import PATIENCE, run_example
from tests.repo.tree import ROOT

PACKAGE = ROOT / "packages" / "crewai"
EXAMPLE = PACKAGE / "examples" / "refused.py"
README = (PACKAGE / "README.md").read_text(encoding="utf-8")


def test_the_readme_shows_the_example_to_the_letter() -> None:
    assert f"```python\n{EXAMPLE.read_text(encoding='utf-8')}```\n" in README
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 40


def test_the_example_is_refused_as_the_readme_says(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    ended = run_example(EXAMPLE, tmp_path)
    assert (ended.code, ended.requests) == (0, 14)
    assert ended.out.endswith(shown)


def test_without_its_guard_the_example_is_refused_nothing(tmp_path: Path) -> None:
    ended = run_example(EXAMPLE, tmp_path, guard="with cycles_crew(client):", bare="if client:")
    assert ended.code == 1
    assert ended.requests >= PATIENCE
    assert "refused" not in ended.out


def test_every_option_has_its_row() -> None:
    known = [
        name
        for each in (CallGuards, cycles_crew, guard_tool)
        for name, parameter in signature(each).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    assert "on_authority_down" in known
    assert [name for name in known if f"| `{name}` |" not in README] == []


def test_the_adapter_stays_small() -> None:
    """Lines of code: what is left without blank lines, comments and documentation."""
    source = PACKAGE / "src" / "runcycles_crewai"
    total = sum(_lines_of_code(path) for path in source.glob("*.py"))
    assert total < 400


def _lines_of_code(path: Path) -> int:
    text = re.sub(r'"""(?:.|\n)*?"""', "", path.read_text(encoding="utf-8"))
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") for line in text.splitlines()
    )
