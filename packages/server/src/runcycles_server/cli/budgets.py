"""`cycles budget`: what a scope may spend."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from runcycles.types import Amount, BudgetStatus, OveragePolicy, SignedAmount, Unit
from runcycles_server.amounts import parse_amount
from runcycles_server.cli.command_group import group
from runcycles_server.cli.output import (
    Cell,
    Json,
    Yes,
    confirm,
    field,
    show_json,
    show_rows,
    state,
)
from runcycles_server.cli.remote import Remote
from runcycles_server.cli.words import amount_words
from runcycles_server.governance.scopes import canonical_scope, owner_of

budgets = group("Budgets: what a scope may spend of one unit.")


class FundOperation(StrEnum):
    """What funding does to a budget."""

    CREDIT = "credit"
    DEBIT = "debit"
    RESET = "reset"
    RESET_SPENT = "reset-spent"
    REPAY_DEBT = "repay-debt"


Scope = Annotated[
    str, typer.Argument(metavar="SCOPE", help="tenant:acme, tenant:acme/agent:writer …")
]
OfUnit = Annotated[Unit, typer.Option("--unit", help="Which of the scope's budgets.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit log.")]

_PATH = "/v1/admin/budgets"


def _amount(name: str) -> Cell:
    return lambda row: _words(row.get(name))


def _words(found: Any) -> str:
    if found is None:
        return ""
    return amount_words(SignedAmount(unit=Unit(found["unit"]), amount=found["amount"]))


_COLUMNS = {
    "scope": field("scope"),
    "left": _amount("remaining"),
    "of": _amount("allocated"),
    "spent": _amount("spent"),
    "held": _amount("reserved"),
    "owed": _amount("debt"),
    "status": state,
}


@budgets.command("create")
def create(
    scope: Scope,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="5usd, 500tokens, 0points …")],
    *,
    overdraft: Annotated[str | None, typer.Option(help="What it may owe beyond that.")] = None,
    overage: Annotated[
        OveragePolicy | None,
        typer.Option(help="What a commit above its estimate does, unless it says."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a scope a budget. One of nothing forbids whatever costs something there.

    [bold]Examples[/bold]

      cycles budget create tenant:acme 100usd

      cycles budget create tenant:acme/agent:writer/toolset:email 0usd
    """
    allocated = parse_amount(amount, or_nothing=True)
    body: dict[str, Any] = {
        "scope": scope,
        "unit": allocated.unit,
        "allocated": _wire(allocated),
        **_owner(scope),
    }
    if overdraft is not None:
        body["overdraft_limit"] = _wire(parse_amount(overdraft, or_nothing=True))
    if overage is not None:
        body["commit_overage_policy"] = overage
    _show(Remote.from_env().post(_PATH, body), as_json)


@budgets.command("list")
def list_all(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only those of this tenant.")] = None,
    scope: Annotated[str | None, typer.Option(help="Only those whose scope begins so.")] = None,
    unit: Annotated[Unit | None, typer.Option(help="Only those of this unit.")] = None,
    status: Annotated[BudgetStatus | None, typer.Option(help="Only those in this state.")] = None,
    as_json: Json = False,
) -> None:
    """Show the budgets, the most used first.

    [bold]Example[/bold]

      cycles budget list --tenant acme
    """
    rows = Remote.from_env().every(
        _PATH, "ledgers", tenant_id=tenant, scope_prefix=scope, unit=unit, status=status
    )
    if as_json:
        show_json({"ledgers": rows})
    else:
        show_rows(rows, _COLUMNS, "There is no such budget.")


@budgets.command("show")
def show(scope: Scope, *, unit: OfUnit = Unit.USD_MICROCENTS, as_json: Json = False) -> None:
    """Show one budget."""
    _show(Remote.from_env().get(f"{_PATH}/lookup", scope=scope, unit=unit), as_json)


@budgets.command("fund")
def fund(
    scope: Scope,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="5usd, 500tokens …")],
    *,
    operation: Annotated[
        FundOperation,
        typer.Option(help="credit adds, debit takes; reset-spent starts a new period."),
    ] = FundOperation.CREDIT,
    reason: Reason = None,
    key: Annotated[
        str | None, typer.Option(help="An idempotency key: funding twice with it funds once.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Change what a budget allocates.

    [bold]Examples[/bold]

      cycles budget fund tenant:acme 20usd --reason "March"

      cycles budget fund tenant:acme 100usd --operation reset-spent --yes
    """
    if operation in (FundOperation.RESET, FundOperation.RESET_SPENT):
        confirm(f"Replace what {scope} has by {amount}?", yes=yes)
    parsed = parse_amount(amount, or_nothing=True)
    body = {
        "operation": operation.name,
        "amount": _wire(parsed),
        "reason": reason,
        "idempotency_key": key,
    }
    given = {member: value for member, value in body.items() if value is not None}
    done = Remote.from_env().post(
        f"{_PATH}/fund", given, scope=scope, unit=parsed.unit, **_owner(scope)
    )
    if as_json:
        show_json(done)
        return
    typer.echo(
        f"{scope} had {_words(done['previous_remaining'])} left of "
        f"{_words(done['previous_allocated'])}; now {_words(done['new_remaining'])} of "
        f"{_words(done['new_allocated'])}."
    )


@budgets.command("freeze")
def freeze(
    scope: Scope,
    *,
    unit: OfUnit = Unit.USD_MICROCENTS,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Take nothing new from a budget; what runs may be settled.

    [bold]Example[/bold]

      cycles budget freeze tenant:acme/toolset:crm --reason "wrong customer"
    """
    _freezing("freeze", scope, unit, reason, as_json)


@budgets.command("unfreeze")
def unfreeze(
    scope: Scope,
    *,
    unit: OfUnit = Unit.USD_MICROCENTS,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Let a frozen budget be spent again."""
    _freezing("unfreeze", scope, unit, reason, as_json)


@budgets.command("update")
def update(
    scope: Scope,
    *,
    unit: OfUnit = Unit.USD_MICROCENTS,
    overdraft: Annotated[str | None, typer.Option(help="What it may owe.")] = None,
    overage: Annotated[
        OveragePolicy | None, typer.Option(help="What a commit above its estimate does.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change the terms of a budget; to change its amount, fund it."""
    body: dict[str, Any] = {}
    if overdraft is not None:
        body["overdraft_limit"] = _wire(parse_amount(overdraft, or_nothing=True))
    if overage is not None:
        body["commit_overage_policy"] = overage
    if not body:
        raise typer.BadParameter("say what to change: --overdraft or --overage")
    _show(Remote.from_env().patch(_PATH, body, scope=scope, unit=unit), as_json)


def _freezing(what: str, scope: str, unit: Unit, reason: str | None, as_json: bool) -> None:
    body = None if reason is None else {"reason": reason}
    found = Remote.from_env().post(f"{_PATH}/{what}", body, scope=scope, unit=unit)
    _show(found, as_json)


def _owner(scope: str) -> dict[str, str]:
    """The tenant that an admin has to name; a tenant's own key must not."""
    if not Remote.is_operator():
        return {}
    return {"tenant_id": owner_of(canonical_scope(scope))}


def _wire(amount: Amount) -> dict[str, Any]:
    return {"unit": amount.unit, "amount": amount.amount}


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
    else:
        show_rows([found], _COLUMNS, "")
