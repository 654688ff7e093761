"""`cycles key`: who may ask in the name of a tenant."""

from typing import Annotated, Any

import typer

from runcycles_server.cli.command_group import group
from runcycles_server.cli.output import (
    Json,
    Yes,
    confirm,
    field,
    moment,
    several,
    show_json,
    show_rows,
    state,
)
from runcycles_server.cli.remote import Remote, escaped

keys = group("API keys: who may ask in the name of a tenant.")

Permissions = Annotated[
    list[str] | None,
    typer.Option("--permission", "-p", help="budgets:read, reservations:create …; repeatable."),
]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", "-s", help="Only there: agent:writer, workspace:* …; repeatable."),
]
KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="As `cycles key list` shows it.")]

_PATH = "/v1/admin/api-keys"
_COLUMNS = {
    "key": field("key_id"),
    "tenant": field("tenant_id"),
    "name": field("name"),
    "begins": lambda row: f"{row['key_prefix']}…",
    "status": state,
    "until": moment("expires_at"),
    "used": moment("last_used_at"),
    "only": several("scope_filter"),
}


@keys.command("create")
def create(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Whose key it is.")],
    *,
    name: Annotated[str, typer.Option(help="What it is for.")] = "cli",
    permissions: Permissions = None,
    scopes: Scopes = None,
    expires: Annotated[
        str | None, typer.Option(help="2027-01-31T00:00:00Z; in 90 days by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an API key. Its secret is shown this once.

    [bold]Examples[/bold]

      cycles key create acme --name "the writers"

      cycles key create acme -p reservations:create -p reservations:commit -s agent:writer
    """
    body: dict[str, Any] = {"tenant_id": tenant, "name": name}
    if permissions is not None:
        body["permissions"] = permissions
    if scopes is not None:
        body["scope_filter"] = scopes
    if expires is not None:
        body["expires_at"] = expires
    made = Remote.from_env().post(_PATH, body)
    if as_json:
        show_json(made)
        return
    typer.echo(f"The key {made['key_id']} of {tenant}, until {made['expires_at']}.")
    typer.echo("Its secret, shown this once and kept only as a digest:")
    typer.echo(f"  {made['key_secret']}")


@keys.command("list")
def list_all(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only those of this tenant.")] = None,
    status: Annotated[str | None, typer.Option(help="ACTIVE, REVOKED or EXPIRED.")] = None,
    search: Annotated[str | None, typer.Option(help="Only those whose id or name has it.")] = None,
    as_json: Json = False,
) -> None:
    """Show the API keys, without their secrets.

    [bold]Example[/bold]

      cycles key list --tenant acme --status ACTIVE
    """
    rows = Remote.from_env().every(_PATH, "keys", tenant_id=tenant, status=status, search=search)
    if as_json:
        show_json({"keys": rows})
    else:
        show_rows(rows, _COLUMNS, "There is no such key.")


@keys.command("update")
def update(
    key_id: KeyId,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    permissions: Permissions = None,
    scopes: Scopes = None,
    as_json: Json = False,
) -> None:
    """Change what an API key may do; lists replace what was there.

    [bold]Example[/bold]

      cycles key update key_0199… -p balances:read
    """
    given = {"name": name, "permissions": permissions, "scope_filter": scopes}
    body = {member: value for member, value in given.items() if value is not None}
    if not body:
        raise typer.BadParameter("say what to change")
    _show(Remote.from_env().patch(f"{_PATH}/{escaped(key_id)}", body), as_json)


@keys.command("revoke")
def revoke(
    key_id: KeyId,
    *,
    reason: Annotated[str | None, typer.Option(help="Why, for the audit log.")] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """End an API key, from its next request on and for good."""
    confirm(f"Revoke {key_id} for ever?", yes=yes)
    _show(Remote.from_env().delete(f"{_PATH}/{escaped(key_id)}", reason=reason), as_json)


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
    else:
        show_rows([found], _COLUMNS, "")
