"""`cycles audit`: what operators did, and what was tried and refused."""

from typing import Annotated, Any

import typer
from rich.text import Text

from runcycles_server.cli.output import Json, field, moment, show_json, show_rows
from runcycles_server.cli.remote import Remote
from runcycles_server.records import UNAUTHENTICATED

_PATH = "/v1/admin/audit/logs"
_FIRST_FAILURE = 400
_NOBODY = {UNAUTHENTICATED: "nobody"}


def _outcome(row: Any) -> Text:
    failed = row["status"] >= _FIRST_FAILURE
    return Text(row.get("error_code") or str(row["status"]), style="red" if failed else "green")


def _who(row: Any) -> str:
    """The key of a tenant, else that it was the operator or that nobody knows."""
    return str(row.get("key_id") or _NOBODY.get(row["tenant_id"], "operator"))


_COLUMNS = {
    "when": moment("timestamp"),
    "who": _who,
    "tenant": field("tenant_id"),
    "operation": field("operation"),
    "what": field("resource_id"),
    "outcome": _outcome,
}


def audit(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only what concerns this tenant.")] = None,
    operation: Annotated[
        str | None, typer.Option(help="createTenant, fundBudget …, separated by commas.")
    ] = None,
    resource: Annotated[
        str | None, typer.Option(help="Only what was done to this: a scope:unit, a key …")
    ] = None,
    request: Annotated[str | None, typer.Option(help="Only the request with this id.")] = None,
    since: Annotated[str | None, typer.Option(help="2026-01-31T00:00:00Z")] = None,
    until: Annotated[str | None, typer.Option(help="2026-01-31T23:59:59Z")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only what was refused.")] = False,
    most: Annotated[int, typer.Option("--limit", help="So many at most.", min=1)] = 50,
    as_json: Json = False,
) -> None:
    """Show the audit log, the newest first.

    [bold]Examples[/bold]

      cycles audit --tenant acme --since 2026-01-31T00:00:00Z

      cycles audit --failed --json
    """
    rows = Remote.from_env().every(
        _PATH,
        "logs",
        most=most,
        tenant_id=tenant,
        operation=operation,
        resource_id=resource,
        request_id=request,
        status_min=_FIRST_FAILURE if failed else None,
        **{"from": since, "to": until},
    )
    if as_json:
        show_json({"logs": rows})
    else:
        show_rows(rows, _COLUMNS, "Nothing of that kind was done.")
