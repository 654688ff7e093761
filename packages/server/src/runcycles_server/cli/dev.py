"""`cycles dev`: everything it takes to try Cycles, in one step.

A server, a tenant, a key and a funded budget. What was made is written next to the store, readable
by its owner alone, so that a restart finds tenant, budget and keys as they were.
"""

import json
import secrets
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from runcycles.errors import CyclesProtocolError
from runcycles.ledger.state import Account, account_key
from runcycles.types import Amount, SignedAmount
from runcycles.wire.adapters import adapter
from runcycles_server.amounts import parse_amount
from runcycles_server.cli.exports import Exports
from runcycles_server.cli.output import Json
from runcycles_server.cli.process import run_server
from runcycles_server.cli.serve import Port
from runcycles_server.cli.words import amount_words
from runcycles_server.governance.admin_key import ADMIN_KEY_PREFIX
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.governance.budgets import commands as budgets
from runcycles_server.governance.budgets.bodies import BudgetCreate
from runcycles_server.governance.keys import commands as keys
from runcycles_server.governance.keys.bodies import KeyCreate
from runcycles_server.governance.keys.rules import digest_of
from runcycles_server.governance.operator import Operator
from runcycles_server.governance.tenants import commands as tenants
from runcycles_server.governance.tenants.bodies import TenantCreate
from runcycles_server.http.serving import Running
from runcycles_server.records import ApiKey, api_key_key
from runcycles_server.settings import DEFAULT_HOST, DEFAULT_PORT, Settings

DEFAULT_DEV_STORE: Final = "sqlite:///cycles-dev.db"
DEFAULT_BUDGET: Final = "1usd"
_ACTOR: Final = Actor(user_agent="cycles dev")


def dev(
    *,
    budget: Annotated[
        str | None,
        typer.Option(
            help="What the tenant may spend: 1usd, 50000tokens, 20credits …", show_default="1usd"
        ),
    ] = None,
    tenant: Annotated[str, typer.Option(help="The tenant to make.")] = "demo",
    port: Port = DEFAULT_PORT,
    store: Annotated[
        str, typer.Option(help="Where the records are kept; memory: forgets them at the end.")
    ] = DEFAULT_DEV_STORE,
    access_log: Annotated[
        str | None,
        typer.Option(help="A file for one line of JSON per request; - is standard error."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run an authority to try things with: tenant, key and budget are made in the same step.

    [bold]Examples[/bold]

      cycles dev

      cycles dev --budget 5usd --tenant acme

      eval "$(cat cycles-dev.db.env)"   # in another terminal: the client finds the server
    """
    amount = None if budget is None else parse_amount(budget)
    wanted = _tenant_body(tenant)
    exports = Exports.beside(store)
    admin_key = exports.known.get("CYCLES_ADMIN_KEY") or ADMIN_KEY_PREFIX + secrets.token_urlsafe(
        32
    )
    settings = Settings(
        host=DEFAULT_HOST,
        port=port,
        store=store,
        admin_key=admin_key,
        access_log=access_log,
        metrics=True,
        registry_pace=0,  # whoever tries things asks as often as they like
    )

    async def prepare(running: Running) -> None:
        api_key = await _provision(running.operator, wanted, amount, exports)
        exports.keep(
            CYCLES_BASE_URL=running.base_url,
            CYCLES_API_KEY=api_key,
            CYCLES_TENANT=tenant,
            CYCLES_ADMIN_KEY=admin_key,
        )

    def announce(_running: Running) -> str:
        return _as_json(exports) if as_json else _as_text(exports)

    run_server(settings, announce=announce, prepare=prepare)


async def _provision(
    operator: Operator, wanted: TenantCreate, amount: Amount | None, exports: Exports
) -> str:
    """Make what is missing; the tenant's API key."""
    tenant = wanted.tenant_id
    await _ensure_tenant(operator, wanted)
    await _ensure_budget(operator, tenant, amount)
    known = exports.known.get("CYCLES_API_KEY", "")
    kept: ApiKey | None = await operator.store.get(api_key_key(digest_of(known)))
    if (
        kept is not None
        and kept.tenant_id == tenant
        and kept.status == "ACTIVE"
        and kept.expires_at_ms > operator.store.now_ms()
    ):
        return known
    made = await keys.create(operator, KeyCreate(tenant_id=tenant, name="cycles dev"), _ACTOR)
    return made.key_secret


def _tenant_body(tenant: str) -> TenantCreate:
    try:
        body: TenantCreate = adapter(TenantCreate).validate_python(
            {"tenant_id": tenant, "name": tenant}
        )
        return body
    except ValidationError:
        raise typer.BadParameter(
            f"{tenant!r} is no id of a tenant; write 3 to 64 of a-z, 0-9 and '-'"
        ) from None


async def _ensure_tenant(operator: Operator, wanted: TenantCreate) -> None:
    try:
        await tenants.get(operator, wanted.tenant_id)
    except CyclesProtocolError:
        await tenants.create(operator, wanted, _ACTOR)


async def _ensure_budget(operator: Operator, tenant: str, asked: Amount | None) -> None:
    scope, wanted = f"tenant:{tenant}", asked or parse_amount(DEFAULT_BUDGET)
    found: Account | None = await operator.store.get(account_key(tenant, scope, wanted.unit))
    if found is None:
        budget = BudgetCreate(scope=scope, unit=wanted.unit, allocated=wanted)
        await budgets.create(operator, budget, _ACTOR, tenant=tenant)
    elif asked is not None and found.allocated != asked.amount:
        allocated = Amount(unit=found.unit, amount=found.allocated)
        left = SignedAmount(unit=found.unit, amount=found.remaining)
        typer.echo(
            f"cycles: {scope} keeps the budget it has, {amount_words(allocated)} with "
            f"{amount_words(left)} left; fund it or choose another --store for a new one.",
            err=True,
        )


def _as_json(exports: Exports) -> str:
    known = exports.known
    return json.dumps(
        {
            "base_url": known["CYCLES_BASE_URL"],
            "api_key": known["CYCLES_API_KEY"],
            "tenant": known["CYCLES_TENANT"],
            "admin_key": known["CYCLES_ADMIN_KEY"],
        }
    )


def _as_text(exports: Exports) -> str:
    kept = (
        f"They are kept in {exports.path}; in another terminal:\n\n  source {exports.path}"
        if exports.path
        else "In another terminal, paste them"
    )
    return "\n".join(
        [
            *exports.lines("CYCLES_BASE_URL", "CYCLES_API_KEY", "CYCLES_TENANT"),
            "",
            f"{kept}\n  cycles balance\n\nStop the server with Ctrl+C.",
        ]
    )
