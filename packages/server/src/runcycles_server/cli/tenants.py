"""`cycles tenant`: who spends under one roof."""

from typing import Annotated, Any

import typer

from runcycles.types import ObserveMode, OveragePolicy, TenantStatus
from runcycles_server.cli.command_group import group
from runcycles_server.cli.output import (
    Json,
    Yes,
    confirm,
    field,
    moment,
    show_json,
    show_rows,
    state,
)
from runcycles_server.cli.remote import Remote, escaped

tenants = group("Tenants: who spends under one roof.")

TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="3 to 64 of a-z, 0-9 and '-'.")]
Overage = Annotated[
    OveragePolicy | None,
    typer.Option("--overage", help="What a commit above its estimate does, unless it says."),
]
Observe = Annotated[
    ObserveMode | None,
    typer.Option("--observe-mode", help="OBSERVE refuses nothing and says what it would."),
]
Ttl = Annotated[int | None, typer.Option("--ttl-ms", help="How long a reservation lives.")]
MaxTtl = Annotated[int | None, typer.Option("--max-ttl-ms", help="The longest one may ask for.")]

_PATH = "/v1/admin/tenants"
_COLUMNS = {
    "tenant": field("tenant_id"),
    "name": field("name"),
    "status": state,
    "mode": lambda row: str(row.get("observe_mode", "")).lower(),
    "overage": lambda row: str(row["default_commit_overage_policy"]).lower(),
    "since": moment("created_at"),
}


@tenants.command("create")
def create(
    tenant: TenantId,
    *,
    name: Annotated[
        str | None, typer.Option(help="What people call it, by default its id.")
    ] = None,
    overage: Overage = None,
    ttl_ms: Ttl = None,
    max_ttl_ms: MaxTtl = None,
    as_json: Json = False,
) -> None:
    """Make a tenant.

    [bold]Example[/bold]

      cycles tenant create acme --name "Acme Corp"
    """
    body = {
        "tenant_id": tenant,
        "name": name or tenant,
        **_settings(overage, ttl_ms, max_ttl_ms),
    }
    _show(Remote.from_env().post(_PATH, body), as_json)


@tenants.command("list")
def list_all(
    *,
    status: Annotated[TenantStatus | None, typer.Option(help="Only those in this state.")] = None,
    search: Annotated[str | None, typer.Option(help="Only those whose id or name has it.")] = None,
    as_json: Json = False,
) -> None:
    """Show the tenants.

    [bold]Example[/bold]

      cycles tenant list --status ACTIVE
    """
    rows = Remote.from_env().every(_PATH, "tenants", status=status, search=search)
    if as_json:
        show_json({"tenants": rows})
    else:
        show_rows(rows, _COLUMNS, "There is no such tenant.")


@tenants.command("show")
def show(tenant: TenantId, *, as_json: Json = False) -> None:
    """Show one tenant."""
    _show(Remote.from_env().get(f"{_PATH}/{escaped(tenant)}"), as_json)


@tenants.command("update")
def update(
    tenant: TenantId,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    overage: Overage = None,
    observe_mode: Observe = None,
    ttl_ms: Ttl = None,
    max_ttl_ms: MaxTtl = None,
    as_json: Json = False,
) -> None:
    """Change a tenant.

    [bold]Example[/bold]

      cycles tenant update acme --observe-mode OBSERVE
    """
    body = {
        "name": name,
        "observe_mode": observe_mode,
        **_settings(overage, ttl_ms, max_ttl_ms),
    }
    given = {member: value for member, value in body.items() if value is not None}
    if not given:
        raise typer.BadParameter("say what to change")
    _patch(tenant, given, as_json)


@tenants.command("suspend")
def suspend(tenant: TenantId, *, as_json: Json = False) -> None:
    """Let a tenant finish its work and start none."""
    _patch(tenant, {"status": TenantStatus.SUSPENDED}, as_json)


@tenants.command("reactivate")
def reactivate(tenant: TenantId, *, as_json: Json = False) -> None:
    """Let a suspended tenant work again."""
    _patch(tenant, {"status": TenantStatus.ACTIVE}, as_json)


@tenants.command("close")
def close(tenant: TenantId, *, yes: Yes = False, as_json: Json = False) -> None:
    """End a tenant for good: what it holds is given back, its budgets close, its keys die.

    [bold]Example[/bold]

      cycles tenant close acme --yes
    """
    confirm(f"Close {tenant}, its budgets and its keys, for ever?", yes=yes)
    _patch(tenant, {"status": TenantStatus.CLOSED}, as_json)


def _settings(
    overage: OveragePolicy | None, ttl_ms: int | None, max_ttl_ms: int | None
) -> dict[str, Any]:
    given = {
        "default_commit_overage_policy": overage,
        "default_reservation_ttl_ms": ttl_ms,
        "max_reservation_ttl_ms": max_ttl_ms,
    }
    return {name: value for name, value in given.items() if value is not None}


def _patch(tenant: str, body: dict[str, Any], as_json: bool) -> None:
    _show(Remote.from_env().patch(f"{_PATH}/{escaped(tenant)}", body), as_json)


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
    else:
        show_rows([found], _COLUMNS, "")
