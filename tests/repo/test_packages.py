import ast
import subprocess
import sys

import pytest

from tests.repo.tree import ROOT, members, name_of, python_files, toml


def unsorted_all(name: str, source: str) -> list[str]:
    """Say whether a module's `__all__` is anything but a literal in plain sorted order."""
    complaints = []
    for node in ast.parse(source).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value)
            ):
                if not isinstance(value, ast.List | ast.Tuple):
                    complaints.append(f"{name}:{node.lineno} __all__ is not a literal")
                    continue
                names = [ast.literal_eval(item) for item in value.elts]
                if names != sorted(set(names)):
                    complaints.append(f"{name}:{node.lineno} __all__ is not sorted")
            case _:
                pass
    return complaints


def test_every_public_surface_is_sorted() -> None:
    assert [
        line
        for path in python_files()
        if path.name == "__init__.py"
        for line in unsorted_all(name_of(path), path.read_text(encoding="utf-8"))
    ] == []


@pytest.mark.parametrize(
    "source",
    [
        "__all__ = ['b', 'a']",
        "__all__ = ['a', 'a']",
        "__all__: list[str] = ['cycles', 'Amount']",
        "__all__ = [name for name in dir()]",
    ],
)
def test_an_unsorted_public_surface_is_noticed(source: str) -> None:
    assert unsorted_all("m.py", source)


def test_a_sorted_public_surface_is_left_alone() -> None:
    assert unsorted_all("m.py", "__all__ = ('Amount', 'Caps', 'cycles')") == []


def installed_packages() -> list[str]:
    """Every package, inner ones included, of the distributions the root environment installs."""
    named = toml(ROOT / "pyproject.toml")["project"]["dependencies"]
    installed = {name.partition("[")[0] for name in named}  # without their extras
    sources = [
        member / "src"
        for member in members()
        if toml(member / "pyproject.toml")["project"]["name"] in installed
    ]
    return sorted(
        ".".join(path.parent.relative_to(source).parts)
        for source in sources
        for path in python_files(name_of(source))
        if path.name == "__init__.py"
    )


def failure_to_import(package: str) -> str:
    """What a fresh interpreter says when it imports nothing but this package."""
    command = [sys.executable, "-c", f"import {package}"]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60).stderr


@pytest.mark.parametrize("package", installed_packages())
def test_every_package_can_be_imported_alone(package: str) -> None:
    assert failure_to_import(package) == ""


def test_a_package_that_cannot_be_imported_is_noticed() -> None:
    assert "ModuleNotFoundError" in failure_to_import("runcycles.no_such_package")


def test_all_packages_of_the_root_environment_are_tried() -> None:
    assert {"runcycles", "runcycles_server", "runcycles_demos"} <= set(installed_packages())
