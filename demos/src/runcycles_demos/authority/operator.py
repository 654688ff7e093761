"""The operator: makes tenants, keys and budgets, and decides while the agent works."""

from dataclasses import replace
from typing import Any

import httpx

from runcycles import Amount, Unit
from runcycles_demos.kit.stack import Authority
from runcycles_demos.kit.trouble import StackError

_ANSWER_S = 10.0
_STOPS = "/v1/x-runcycles/stops"
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

    def policy(self, tenant: str, name: str, scope: str, **rules: Any) -> str:
        """Make a policy for a scope and all below it; return its id."""
        body = {"tenant_id": tenant, "name": name, "scope_pattern": scope, **rules}
        return str(self._ask("POST", "/v1/admin/policies", body).json()["policy_id"])

    def freeze(self, scope: str, reason: str) -> httpx.Response:
        """Freeze a budget of dollars: nothing new is held in it."""
        return self._ask("POST", "/v1/admin/budgets/freeze", {"reason": reason}, _dollars(scope))

    def unfreeze(self, scope: str, reason: str) -> httpx.Response:
        """Let a frozen budget be used again."""
        return self._ask("POST", "/v1/admin/budgets/unfreeze", {"reason": reason}, _dollars(scope))

    def stop(self, target: str, reason: str) -> httpx.Response:
        """Stop everybody whom the target covers."""
        return self._ask("POST", _STOPS, {"target": target, "reason": reason})

    def lift(self, stop_id: str) -> httpx.Response:
        """Lift a stop."""
        return self._ask("DELETE", f"{_STOPS}/{stop_id}")

    def counters(self, tenant: str) -> dict[str, tuple[int, int]]:
        """Return what is used of each quota of a tenant, and its limit, by window."""
        told = self._look("/v1/admin/action-quota-counters", tenant_id=tenant) or {"counters": []}
        return {one["window_key"]: (one["used"], one["limit"]) for one in told["counters"]}

    def explanation(self, request_id: str) -> dict[str, Any] | None:
        """Return the decision that a request has led to, step by step."""
        told = self._look("/v1/x-runcycles/explain", id=request_id)
        decisions: list[dict[str, Any]] = [] if told is None else told["decisions"]
        return decisions[0] if decisions else None

    def audit(self, request_id: str) -> dict[str, Any] | None:
        """Return the audit entry of a request."""
        told = self._look("/v1/admin/audit/logs", request_id=request_id)
        entries: list[dict[str, Any]] = [] if told is None else told["logs"]
        return entries[0] if entries else None

    def _look(self, path: str, **query: str) -> dict[str, Any] | None:
        answer = self._send("GET", path, query=query)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return dict(_checked(answer).json())

    def _ask(
        self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None
    ) -> httpx.Response:
        return _checked(self._send(method, path, body, query))

    def _send(
        self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body, params=query)
        except httpx.HTTPError as exc:
            raise StackError(f"The Cycles server does not answer the operator: {exc}.") from exc


def _checked(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise StackError(f"The Cycles server refused {asked}: {answer.text}")
    return answer


def _dollars(scope: str) -> dict[str, str]:
    return {"scope": scope, "unit": Unit.USD_MICROCENTS}


def _plain(amount: Amount) -> dict[str, Any]:
    return {"unit": amount.unit, "amount": amount.amount}
