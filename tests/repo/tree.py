"""Where the project's files are, for the tests that read the project itself.

The tree is walked rather than asked of git, so that the rules hold in an unpacked archive too, and
for a file that nobody has added yet. What `.gitignore` leaves out is left out here.
"""

import ast
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def ignored_patterns() -> list[str]:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    return [".git", *(line.strip("/") for line in lines if line and not line.startswith("#"))]


def project_files() -> list[Path]:
    """Every file of the project, sorted."""
    patterns = ignored_patterns()

    def walk(folder: Path) -> Iterator[Path]:
        for entry in sorted(folder.iterdir()):
            if any(fnmatch(entry.name, pattern) for pattern in patterns):
                continue
            if entry.is_dir():
                yield from walk(entry)
            else:
                yield entry

    return list(walk(ROOT))


def python_files(*folders: str) -> list[Path]:
    """The project's Python files below the given folders, all of them by default."""
    roots = [ROOT / folder for folder in folders or ("packages", "demos", "tests")]
    return [
        path
        for path in project_files()
        if path.suffix == ".py" and any(path.is_relative_to(root) for root in roots)
    ]


def members() -> list[Path]:
    """The folder of every distribution in the workspace."""
    return sorted(path.parent for path in project_files() if is_distribution(path))


def is_distribution(path: Path) -> bool:
    return path.name == "pyproject.toml" and path.parent != ROOT


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def text_of(path: Path) -> str | None:
    """The file's text, or None for a file that is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(source: str) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of everything a module imports, `from` included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{package}.{alias.name}") for alias in node.names)
