"""One request for each endpoint that its rightful caller is granted.

An endpoint that is missing here fails the matrix: say how it is asked, and if its answers are not
those that follow from its row of the table, say that in `expectations`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from runcycles_server.http.endpoint import Endpoint
from tests.server.authority.world import KIND, TODAY, Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is put into a request besides its method and its path."""

    json: Any = None
    params: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)

    async def put(self, client: httpx.AsyncClient, row: Endpoint) -> httpx.Response:
        """Ask, and the answer."""
        path = row.path.format_map(dict(self.path))
        return await client.request(row.method, path, json=self.json, params=dict(self.params))


Asked = Callable[[Names, bool], Ask]
"""The request about what these names are of; the second says whether the operator asks."""


def _plain(_names: Names, _by_operator: bool) -> Ask:
    return Ask()


def _of_tenant(names: Names, _by_operator: bool) -> Ask:
    return Ask(params={"tenant": names.tenant})


def _of_tenant_id(names: Names, _by_operator: bool) -> Ask:
    return Ask(params={"tenant_id": names.tenant})


def _budget(body: Any = None, *, is_frozen: bool = False) -> Asked:
    def asked(names: Names, by_operator: bool) -> Ask:
        owner = {"tenant_id": names.tenant} if by_operator else {}
        scope = names.frozen if is_frozen else names.writer
        return Ask(json=body, params={"scope": scope, "unit": "TOKENS", **owner})

    return asked


def _new(body: Callable[[Names], dict[str, Any]]) -> Asked:
    """Something new of a tenant, which the operator has to name and a tenant must not."""

    def asked(names: Names, by_operator: bool) -> Ask:
        owner = {"tenant_id": names.tenant} if by_operator else {}
        return Ask(json={**body(names), **owner})

    return asked


def _reservation(body: Any = None) -> Asked:
    return lambda names, _: Ask(json=body, path={"reservation_id": names.reservation_id})


def _commit(names: Names, _by_operator: bool) -> Ask:
    body = {"idempotency_key": "c", "actual": names.tokens()}
    return Ask(json=body, path={"reservation_id": names.reservation_id})


def _key(body: Any = None) -> Asked:
    return lambda names, _: Ask(json=body, path={"key_id": names.key_id})


def _spend(names: Names, _by_operator: bool) -> Ask:
    asked = names.question("spend")
    asked["actual"] = asked.pop("estimate")
    return Ask(json=asked)


def _new_budget(names: Names) -> dict[str, Any]:
    return {"scope": f"{names.writer}/toolset:new", "unit": "TOKENS", "allocated": names.tokens()}


def _new_policy(names: Names) -> dict[str, Any]:
    return {"name": "new", "scope_pattern": names.writer}


def _reset(names: Names, _by_operator: bool) -> Ask:
    counter = {"action_kind": KIND, "window": "per_tenant_per_day", "window_key": TODAY}
    return Ask(json={**counter, "tenant_id": names.tenant, "scope": names.root})


ASKS: Final[dict[str, Asked]] = {
    "createReservation": lambda names, _: Ask(json=names.question("reserve")),
    "commitReservation": _commit,
    "releaseReservation": _reservation({"idempotency_key": "r"}),
    "extendReservation": _reservation({"idempotency_key": "e", "extend_by_ms": 1_000}),
    "decide": lambda names, _: Ask(json=names.question("decide")),
    "createEvent": _spend,
    "getBalances": _of_tenant,
    "listReservations": _of_tenant,
    "getReservation": _reservation(),
    "createTenant": lambda *_: Ask(json={"tenant_id": "third", "name": "Third"}),
    "listTenants": _plain,
    "getTenant": lambda names, _: Ask(path={"tenant_id": names.tenant}),
    "updateTenant": lambda names, _: Ask(
        json={"name": "renamed"}, path={"tenant_id": names.tenant}
    ),
    "createApiKey": lambda names, _: Ask(json={"tenant_id": names.tenant, "name": "another"}),
    "listApiKeys": _of_tenant_id,
    "updateApiKey": _key({"name": "renamed"}),
    "revokeApiKey": _key(),
    "validateApiKey": lambda names, _: Ask(json={"key_secret": names.secret}),
    "introspectAuth": _plain,
    "createBudget": _new(_new_budget),
    "listBudgets": _of_tenant_id,
    "lookupBudget": _budget(),
    "updateBudget": _budget({"metadata": {"changed": "yes"}}),
    "fundBudget": _budget({"operation": "CREDIT", "amount": {"unit": "TOKENS", "amount": 5}}),
    "freezeBudget": _budget({}),
    "unfreezeBudget": _budget({}, is_frozen=True),
    "setBudgetCaps": _budget({"caps": {"max_tokens": 5}}),
    "createPolicy": _new(_new_policy),
    "listPolicies": _of_tenant_id,
    "updatePolicy": lambda names, _: Ask(
        json={"description": "changed"}, path={"policy_id": names.policy_id}
    ),
    "listActionQuotaCounters": _of_tenant_id,
    "resetActionQuotaCounter": _reset,
    "stop": lambda names, _: Ask(json={"target": names.root, "reason": "a test"}),
    "listStops": _plain,
    "lift": lambda names, _: Ask(path={"stop_id": names.stop_id}),
    "listAuditLogs": _plain,
    "explain": lambda names, _: Ask(params={"id": names.reservation_id}),
    "listActionKinds": _plain,
    "getActionKind": lambda *_: Ask(path={"kind": "llm.completion"}),
    "declareActionKind": lambda *_: Ask(
        json={"kind": "custom.acme.new", "risk_class": "read_only"}
    ),
    "listDeclaredActionKinds": _plain,
    "isAlive": _plain,
    "isReady": _plain,
    "getMetrics": _plain,
    "describe": _plain,
}
