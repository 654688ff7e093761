"""`cycles serve`: the authority as a service."""

import json
from typing import Annotated

import typer

from runcycles_server.cli.output import Json
from runcycles_server.cli.process import run_server
from runcycles_server.http.serving import Running
from runcycles_server.settings import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_REGISTRY_PACE,
    DEFAULT_STORE,
    STDERR,
    Settings,
)

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[
    int, typer.Option(help="The port to listen on; 0 takes a free one.", min=0, max=65535)
]


def serve(
    *,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
    store: Annotated[
        str,
        typer.Option(help="Where the records are kept: sqlite:///file.db or memory:"),
    ] = DEFAULT_STORE,
    admin_key: Annotated[
        str | None,
        typer.Option(
            envvar="CYCLES_ADMIN_KEY",
            show_envvar=True,
            help="The operator's key. Without one, a key is made and shown once.",
        ),
    ] = None,
    access_log: Annotated[
        str, typer.Option(help="A file for one line of JSON per request; - is standard error.")
    ] = STDERR,
    registry_pace: Annotated[
        int,
        typer.Option(
            help="How often in a minute one address may ask for the action kinds; 0 is no limit.",
            min=0,
            max=60_000,
        ),
    ] = DEFAULT_REGISTRY_PACE,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Let whoever reaches the server read /metrics.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the authority.

    [bold]Examples[/bold]

      cycles serve

      CYCLES_ADMIN_KEY=… cycles serve --host 0.0.0.0 --store sqlite:////var/lib/cycles/budget.db

      cycles serve --port 0 --json
    """
    settings = Settings(
        host=host,
        port=port,
        store=store,
        admin_key=admin_key or None,
        access_log=access_log,
        metrics=metrics,
        registry_pace=registry_pace,
    )

    run_server(settings, announce=_as_json if as_json else _as_text)


def _as_json(running: Running) -> str:
    said = {"base_url": running.base_url}
    if running.admin_key.fresh is not None:
        said["admin_key"] = running.admin_key.fresh
    return json.dumps(said)


def _as_text(running: Running) -> str:
    lines = [f"cycles serves at {running.base_url}"]
    if running.admin_key.fresh is not None:
        lines += [
            "",
            "The admin key of this store, shown this once and kept only as a digest:",
            f"  {running.admin_key.fresh}",
        ]
    return "\n".join(lines)
