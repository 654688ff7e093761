"""The `cycles` command: what belongs to all of its parts.

Whatever goes wrong ends in one sentence on standard error: exit code 2 where the command was given
something wrong, 1 where the world was not as it should be. A traceback means a defect of ours.
"""

import sys
from importlib.metadata import entry_points, version
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.main import get_command

from runcycles.errors import ConfigurationError, CyclesError
from runcycles_server.cli.audit import audit
from runcycles_server.cli.balance import balance
from runcycles_server.cli.budgets import budgets
from runcycles_server.cli.conformance import conformance
from runcycles_server.cli.dev import dev
from runcycles_server.cli.explain import explain
from runcycles_server.cli.keys import keys
from runcycles_server.cli.policies import policies
from runcycles_server.cli.serve import serve
from runcycles_server.cli.stops import lift, stop
from runcycles_server.cli.tenants import tenants

PLUGINS: Final = "cycles.commands"
"""The entry-point group whose members add commands: name → a function or a `typer.Typer`."""

_COMPLAINTS: Final[Any] = typer.BadParameter.__mro__[2]
"""Whatever the parser complains about: typer has no public name for the common kind."""


def make_app() -> typer.Typer:
    """The command with all its subcommands, those of installed plugins included."""
    app = typer.Typer(
        name="cycles",
        help="Budgets and permissions for AI agents: run the authority, look after it.",
        invoke_without_command=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    app.command("serve")(serve)
    app.command("dev")(dev)
    app.command("balance")(balance)
    app.add_typer(tenants, name="tenant")
    app.add_typer(keys, name="key")
    app.add_typer(budgets, name="budget")
    app.add_typer(policies, name="policy")
    app.command("stop")(stop)
    app.command("lift")(lift)
    app.command("explain")(explain)
    app.command("audit")(audit)
    app.command("conformance")(conformance)
    _add_plugins(app)
    return app


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command and end the process."""
    try:
        code = make_app()(arguments, prog_name="cycles", standalone_mode=False)
    except _COMPLAINTS as wrong:
        said = wrong.format_message()  # nothing where the help was the answer
        sys.exit(_say(f"{said} (cycles --help says more)", 2) if said else 2)
    except ConfigurationError as wrong:
        sys.exit(_say(str(wrong), 2))
    except CyclesError as failure:
        sys.exit(_say(str(failure), 1))
    except typer.Abort:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _say(sentence: str, code: int) -> int:
    print(f"cycles: {' '.join(sentence.split())}", file=sys.stderr)  # noqa: T201 - the sentence
    return code


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"cycles {version('runcycles-server')}")
        raise typer.Exit


def _options(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _add_plugins(app: typer.Typer) -> None:
    """Add the commands of installed packages; a broken one is named and left out."""
    for plugin in sorted(entry_points(group=PLUGINS), key=lambda found: found.name):
        try:
            command = plugin.load()
            get_command(_with(typer.Typer(), plugin.name, command))  # it can be built by itself
        except Exception as problem:  # noqa: BLE001 - whatever a plugin raises, ours must work
            _say(f"the command {plugin.name} of {plugin.value} is broken: {problem!r}", 0)
        else:
            _with(app, plugin.name, command)


def _with(app: typer.Typer, name: str, command: Any) -> typer.Typer:
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)
    return app
