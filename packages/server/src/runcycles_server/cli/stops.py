"""`cycles stop` and `cycles lift`: the emergency stop."""

from typing import Annotated

import typer

from runcycles_server.cli.output import Json, field, moment, show_json, show_rows
from runcycles_server.cli.remote import Remote, escaped

_PATH = "/v1/x-runcycles/stops"
_COLUMNS = {
    "stop": field("stop_id"),
    "stopped": field("target"),
    "because": field("reason"),
    "by": field("stopped_by"),
    "since": moment("stopped_at"),
}


def stop(
    *,
    reason: Annotated[str, typer.Option(help="Why; every refusal says it.")],
    tenant: Annotated[str | None, typer.Option(help="Stop this tenant.")] = None,
    scope: Annotated[
        str | None, typer.Option(help="Stop this scope and all below: tenant:acme/agent:writer.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Stop every tenant.")] = False,
    as_json: Json = False,
) -> None:
    """Stop agents at once: nothing new is allowed until the stop is lifted.

    What was allowed already may finish, and its spend is still counted.

    [bold]Examples[/bold]

      cycles stop --tenant acme --reason "mails the wrong people"

      cycles stop --all --reason "leaked key"
    """
    targets = [
        *(["*"] if everything else []),
        *([f"tenant:{tenant}"] if tenant else []),
        *([scope] if scope else []),
    ]
    if len(targets) != 1:
        raise typer.BadParameter("say what to stop: --tenant, --scope or --all, one of them")
    made = Remote.from_env().post(_PATH, {"target": targets[0], "reason": reason})
    if as_json:
        show_json(made)
    else:
        target = "everything" if everything else targets[0]
        typer.echo(f"Stopped {target}. To lift it:\n\n  cycles lift {made['stop_id']}")


def lift(
    stop_id: Annotated[
        str | None, typer.Argument(metavar="[STOP]", help="Which; without it they are shown.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Lift a stop, or show the stops that hold.

    [bold]Examples[/bold]

      cycles lift

      cycles lift stop_0199…
    """
    remote = Remote.from_env()
    if stop_id is None:
        found = remote.get(_PATH)
        if as_json:
            show_json(found)
        else:
            show_rows(found["stops"], _COLUMNS, "Nothing is stopped.")
        return
    lifted = remote.delete(f"{_PATH}/{escaped(stop_id)}")
    if as_json:
        show_json(lifted)
    else:
        typer.echo(f"Lifted {stop_id}.")
