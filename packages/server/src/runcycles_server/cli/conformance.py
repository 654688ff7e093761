"""`cycles conformance`: does a server keep the protocol?"""

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console

from runcycles.errors import ConfigurationError, CyclesTransportError
from runcycles_server.cli.output import Json, show_json
from runcycles_server.conformance import CHECKS, REQUIREMENTS, Profile, Report, Target, judge
from runcycles_server.conformance.client import ViolationError
from runcycles_server.conformance.judging import TargetError
from runcycles_server.conformance.provisioning import FixturesError, plan
from runcycles_server.conformance.registry import Check
from runcycles_server.conformance.report import as_json, as_junit, progress, show


def conformance(
    *,
    base_url: Annotated[
        str | None, typer.Option(help="The server to check; else CYCLES_BASE_URL.")
    ] = None,
    admin_url: Annotated[
        str | None, typer.Option(help="Where its admin API is, if that is elsewhere.")
    ] = None,
    admin_key: Annotated[
        str | None,
        typer.Option(help="The operator's key, to make throw-away tenants; else CYCLES_ADMIN_KEY."),
    ] = None,
    fixtures: Annotated[
        Path | None, typer.Option(help="Ready-made tenants, for a server without an admin API.")
    ] = None,
    profile: Annotated[
        list[Profile] | None, typer.Option(help="Check only this profile; may be repeated.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML into this file.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="List what passed too, and what is not claimed.")
    ] = False,
    print_plan: Annotated[
        bool, typer.Option("--plan", help="Print what a file of fixtures has to hold, and stop.")
    ] = False,
    as_line: Json = False,
) -> None:
    """Check any server of the protocol, over HTTP, requirement by requirement.

    Tenants, budgets and keys are made for the purpose and closed at the end. The exit code is 0
    only if every MUST of what the server claims passes.

    [bold]Examples[/bold]

      cycles conformance --base-url http://127.0.0.1:7878 --admin-key …

      cycles conformance --profile runtime --junit conformance.xml

      cycles conformance --plan > plan.json   # make these, add each key_secret, then:

      cycles conformance --base-url https://… --fixtures plan.json --json
    """
    if print_plan:
        show_json(plan(_of_the_runtime()))
        return
    target = _target(base_url, admin_url, admin_key, fixtures)
    report = _judged(target, profile or list(Profile), Console(stderr=True))
    if junit is not None:
        junit.write_text(as_junit(report), encoding="utf-8")
    if as_line:
        typer.echo(as_json(report))
    else:
        show(Console(), report, every=every)
    raise typer.Exit(0 if report.conforms else 1)


def _target(
    base_url: str | None, admin_url: str | None, admin_key: str | None, fixtures: Path | None
) -> Target:
    base_url = base_url or os.environ.get("CYCLES_BASE_URL")
    admin_key = admin_key or os.environ.get("CYCLES_ADMIN_KEY")
    if not base_url:
        raise typer.BadParameter("say which server with --base-url, or set CYCLES_BASE_URL")
    if fixtures is None and not admin_key:
        raise typer.BadParameter(
            "give --admin-key (or CYCLES_ADMIN_KEY), or ready-made tenants with --fixtures"
        )
    return Target(base_url=base_url, admin_url=admin_url, admin_key=admin_key, fixtures=fixtures)


def _judged(target: Target, profiles: list[Profile], console: Console) -> Report:
    bar, on_start = progress(console)
    try:
        with bar:
            return anyio.run(partial(judge, target, profiles, on_start))
    except (FixturesError, TargetError) as wrong:
        raise ConfigurationError(str(wrong)) from wrong
    except ViolationError as silence:
        raise CyclesTransportError(str(silence)) from silence


def _of_the_runtime() -> tuple[Check, ...]:
    """The checks that need no operator."""
    wanted = {each.id for each in REQUIREMENTS if each.profile is Profile.RUNTIME}
    return tuple(each for each in CHECKS if isinstance(each, Check) and each.requirement in wanted)
