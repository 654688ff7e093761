from pathlib import Path

from tests.repo.tree import ROOT, members, name_of, toml


def incomplete(folder: Path, licence: str) -> list[str]:
    """Say what a folder lacks to be published as a distribution of ours."""
    project = toml(folder / "pyproject.toml").get("project", {})
    package = folder / "src" / project.get("name", "").replace("-", "_")
    complaints = []
    if project.get("license") != "Apache-2.0":
        complaints.append("names no licence")
    if not (folder / "LICENSE").is_file() or (folder / "LICENSE").read_text("utf-8") != licence:
        complaints.append("carries another licence text than the project")
    if project.get("readme") != "README.md" or not (folder / "README.md").is_file():
        complaints.append("has no README.md")
    needed = ("__init__.py", "py.typed")
    return complaints + [f"has no {name}" for name in needed if not (package / name).is_file()]


def test_every_member_of_the_workspace_can_be_published() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert members()
    assert {name_of(member): incomplete(member, licence) for member in members()} == {
        name_of(member): [] for member in members()
    }


def test_an_incomplete_distribution_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'half'\n", encoding="utf-8")
    assert incomplete(tmp_path, "the licence") == [
        "names no licence",
        "carries another licence text than the project",
        "has no README.md",
        "has no __init__.py",
        "has no py.typed",
    ]
