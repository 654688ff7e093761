"""The operator: makes tenants, keys and budgets, and decides while the agent works."""

from dataclasses import replace
from typing import Any

import httpx

from runcycles import Amount
from runcycles_demos.kit.stack import Authority
from runcycles_demos.kit.trouble import StackError

_ANSWER_S = 10.0
# The agent may spend what it is given, and may not give itself more.
_PERMISSIONS = (
    "reservations:create",
    "reservations:commit",
    "reservations:release",
    "reservations:extend",
    "reservations:list",
    "balances:read",
)


class Operator:
    """Whoever holds the admin key of a server; everything goes through its public API."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._http = httpx.Client(
            base_url=authority.base_url,
            headers={"X-Admin-API-Key": authority.admin_key},
            timeout=_ANSWER_S,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def tenant(self, name: str) -> Authority:
        """Make a tenant, and a key with which its agents may spend."""
        self._ask("POST", "/v1/admin/tenants", {"tenant_id": name, "name": name})
        wanted = {"tenant_id": name, "name": "support agents", "permissions": _PERMISSIONS}
        made = self._ask("POST", "/v1/admin/api-keys", wanted).json()
        return replace(self._authority, tenant=name, api_key=made["key_secret"])

    def budget(self, tenant: str, scope: str, amount: Amount) -> None:
        """Give a scope a budget."""
        allocated = _plain(amount)
        body = {"tenant_id": tenant, "scope": scope, "unit": amount.unit, "allocated": allocated}
        self._ask("POST", "/v1/admin/budgets", body)

    def fund(self, tenant: str, scope: str, amount: Amount, reason: str) -> httpx.Response:
        """Add to a budget."""
        query = {"tenant_id": tenant, "scope": scope, "unit": amount.unit}
        body = {"operation": "CREDIT", "amount": _plain(amount), "reason": reason}
        return self._ask("POST", "/v1/admin/budgets/fund", body, query)

    def _ask(
        self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=body, params=query)
        except httpx.HTTPError as exc:
            raise StackError(f"The Cycles server does not answer the operator: {exc}.") from exc
        if not answer.is_success:
            raise StackError(f"The Cycles server refused {method} {path}: {answer.text}")
        return answer


def _plain(amount: Amount) -> dict[str, Any]:
    return {"unit": amount.unit, "amount": amount.amount}
