"""The project says nothing about the machines it was written on."""

import re

import pytest

from tests.repo.tree import ROOT, name_of, project_files, text_of

HOMES = ("home", "root", "Users", "work")
MACHINE_PATH = re.compile(rf"(?<![\w.~}}-])/(?:{'|'.join(HOMES)})/|\b[A-Z]:\\+Users\\")
LOCK_HOST = re.compile(r"https?://([^/\"]+)")
PUBLIC_INDEX = {"pypi.org", "files.pythonhosted.org"}


def machine_paths(name: str, text: str) -> list[str]:
    """Say which lines name a folder that exists on somebody's machine only."""
    return [
        f"{name}:{number} {line.strip()}"
        for number, line in enumerate(text.splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    texts = {name_of(path): text_of(path) for path in project_files()}
    assert "pyproject.toml" in texts
    assert [
        line
        for name, text in texts.items()
        if text is not None
        for line in machine_paths(name, text)
    ] == []


@pytest.mark.parametrize("home", HOMES)
def test_a_machine_path_is_noticed(home: str) -> None:
    assert machine_paths("m.py", f'open("/{home}/me/budget.db")')


def test_a_windows_path_is_noticed() -> None:
    assert machine_paths("m.py", "cd " + "C:" + r"\Users\me")


@pytest.mark.parametrize("home", HOMES)
def test_a_url_is_not_a_machine_path(home: str) -> None:
    assert machine_paths("m.py", f"https://example.com/{home}/page and packages/{home}/x") == []


def foreign_hosts(lock: str) -> set[str]:
    return set(LOCK_HOST.findall(lock)) - PUBLIC_INDEX


def test_the_lock_installs_from_the_public_index_only() -> None:
    assert foreign_hosts((ROOT / "uv.lock").read_text(encoding="utf-8")) == set()


def test_a_lock_made_against_a_private_mirror_is_noticed() -> None:
    assert foreign_hosts('source = { registry = "https://mirror.example/simple" }') == {
        "mirror.example"
    }
