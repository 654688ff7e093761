"""What the operator's tests ask again and again, and what a store holds of a tenant."""

from dataclasses import replace
from typing import Any

import httpx

from runcycles.ledger.state import Account, account_key
from runcycles.types import Unit
from runcycles_server.stores.queries import ReservationQuery
from tests.server.http.conftest import Acme

PATH = "/v1/admin/budgets"
INT64_MAX = 2**63 - 1


def amount(value: int, unit: str = "TOKENS") -> dict[str, Any]:
    return {"unit": unit, "amount": value}


def new(acme: Acme, scope: str, allocated: int = 100, **body: Any) -> dict[str, Any]:
    return {
        "scope": f"tenant:{acme.tenant}{scope}",
        "unit": "TOKENS",
        "allocated": amount(allocated),
        **body,
    }


def root(acme: Acme, **query: str) -> dict[str, str]:
    """The query that names the budget at the tenant's root."""
    return {"scope": f"tenant:{acme.tenant}", "unit": "TOKENS", **query}


def fund(acme: Acme, body: dict[str, Any], **query: str) -> httpx.Response:
    return acme.client.post(f"{PATH}/fund", params=root(acme, **query), json=body)


def account(acme: Acme) -> Account:
    """The account at the tenant's root as the store has it."""
    key = account_key(acme.tenant, f"tenant:{acme.tenant}", Unit.TOKENS)
    found: Account = acme.server.run(acme.server.store.get(key))
    return found


def kept(acme: Acme) -> list[Any]:
    """Everything that the store holds of the tenant, its audit log apart.

    When its keys were last used is left out too: the sweeper writes that, at any time.
    """
    store, tenant = acme.server.store, acme.tenant
    keys = acme.server.run(store.api_keys(tenant))
    owners = [row for row in acme.server.run(store.tenants()) if row.tenant_id == tenant]
    return [
        *owners,
        *acme.server.run(store.accounts(tenant)),
        *(replace(key, last_used_at_ms=None) for key in keys),
        *acme.server.run(store.reservations(ReservationQuery(tenant=tenant, limit=1_000))),
    ]
