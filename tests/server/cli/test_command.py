"""The `cycles` command as a whole: help, version, and what other packages add to it."""

import re
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import NoReturn

import pytest
import typer

from runcycles_server.cli import command as command_line
from tests.server.cli.conftest import Command
from tests.support.processes import running

BUILT_IN = ("serve", "dev", "balance", "conformance")


def test_alone_it_shows_what_there_is(command: Command) -> None:
    ended = command()
    assert (ended.code, ended.err) == (0, "")
    assert all(name in ended.out for name in BUILT_IN)


def test_it_knows_its_version(tmp_path: Path) -> None:
    with running("--version", cwd=tmp_path) as process:
        assert re.fullmatch(r"cycles \d+\.\d+\.\d+\S*\n", process.line())
        assert process.ended() == (0, "", "")


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_explains_itself_with_examples(
    command: Command, name: str, flag: str
) -> None:
    ended = command(name, flag)
    assert (ended.code, ended.err) == (0, "")
    for words in ("Examples", f"cycles {name}", "--json"):
        assert words in ended.out


def test_an_unknown_command_is_one_sentence(command: Command) -> None:
    ended = command("nonsense")
    assert ended.code == 2
    assert ended.complains_about("nonsense")


# ── what the group `cycles.commands` adds ───────────────────────────────────────────────────────

sub_app = typer.Typer(help="Several commands under one name.", no_args_is_help=True)


@sub_app.command()
def greet() -> None:
    """Greet."""
    typer.echo("greetings")


@sub_app.command()
def part() -> None:
    """Part."""


def single(name: str = "you") -> None:
    """One command."""
    typer.echo(f"hello {name}")


def unbuildable(value: "NoSuchType") -> NoReturn:  # type: ignore[name-defined]  # noqa: F821 - the test's point
    """A command that typer cannot make."""
    raise AssertionError


not_callable = 5


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    here = __name__
    found = EntryPoints(
        EntryPoint(name=name, value=f"{here}:{target}", group=command_line.PLUGINS)
        for name, target in (
            ("many", "sub_app"),
            ("one", "single"),
            ("missing", "no_such_thing"),
            ("unbuildable", "unbuildable"),
            ("number", "not_callable"),
        )
    )
    monkeypatch.setattr(command_line, "entry_points", lambda group: found.select(group=group))


@pytest.mark.usefixtures("plugins")
def test_other_packages_add_commands(command: Command) -> None:
    assert command("many", "greet").out == "greetings\n"
    assert command("one", "--name", "them").out == "hello them\n"


@pytest.mark.usefixtures("plugins")
def test_a_broken_plugin_is_named_and_breaks_nothing(command: Command) -> None:
    ended = command("--version")
    assert ended.code == 0
    assert ended.out.startswith("cycles ")
    for name in ("missing", "unbuildable", "number"):
        assert f"the command {name} of" in ended.err


@pytest.mark.usefixtures("plugins")
def test_a_group_alone_shows_its_help(command: Command) -> None:
    assert "greet" in command("many").out
