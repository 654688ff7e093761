"""Where stands come from: made through the operator's API, or ready-made in a file."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import httpx

from runcycles_server.conformance.client import ADMIN_KEY, Answer, Caller, ViolationError
from runcycles_server.conformance.expecting import told
from runcycles_server.conformance.registry import Check
from runcycles_server.conformance.setups import MAIN, Budget, Setup
from runcycles_server.conformance.stand import Stand

Heard = Callable[[Answer], None]


class FixturesError(Exception):
    """The file of fixtures cannot be used; the sentence says why."""


class Provisioner(Protocol):
    """Makes or finds what a check stands on."""

    governs: bool
    """Whether checks of the governance plane have an operator to ask as."""

    async def stand(self, check: Check, heard: Heard) -> Stand:
        """A stand for this check alone.

        Raises:
            ViolationError: there is none.
        """
        ...

    async def clear(self) -> None:
        """End what was made."""
        ...


class AdminProvisioner:
    """Makes tenants, budgets and keys through the admin API, and closes the tenants at the end."""

    governs = True

    def __init__(
        self, http: httpx.AsyncClient, admin_http: httpx.AsyncClient, admin_key: str
    ) -> None:
        self._http = http
        self._admin_http = admin_http
        self._admin_key = admin_key
        self._run = secrets.token_hex(4)
        self._made: list[str] = []

    async def stand(self, check: Check, heard: Heard) -> Stand:
        """A new tenant with all that the setup says."""
        operator = self._operator(heard)
        stranger = None
        if check.setup.with_stranger:
            stranger = await self._tenant(operator, check.setup, heard)
        return await self._tenant(operator, check.setup, heard, stranger)

    async def clear(self) -> None:
        """Close every tenant; one that a check has closed already stays as it is."""
        operator = self._operator(lambda _: None)
        for tenant in self._made:
            await operator.ask("PATCH", f"/v1/admin/tenants/{tenant}", {"status": "CLOSED"})

    def _operator(self, heard: Heard) -> Caller:
        return Caller(self._admin_http, heard, {ADMIN_KEY: self._admin_key})

    async def _tenant(
        self, operator: Caller, setup: Setup, heard: Heard, stranger: Stand | None = None
    ) -> Stand:
        tenant = f"conformance-{self._run}-{len(self._made)}"
        self._made.append(tenant)
        await _made(
            operator, "/v1/admin/tenants", {"tenant_id": tenant, "name": tenant, **setup.settings}
        )
        for budget in setup.budgets:
            await self._budget(operator, tenant, budget)
        keys = {
            name: await self._key(operator, {"tenant_id": tenant, "name": name, **body})
            for name, body in {MAIN: {}, **setup.keys}.items()
        }
        caller = Caller(self._http, heard).keyed(keys[MAIN])
        return Stand(caller, tenant, keys, stranger=stranger, operator=operator)

    async def _budget(self, operator: Caller, tenant: str, budget: Budget) -> None:
        body = {"tenant_id": tenant, **body_of(budget, tenant)}
        await _made(operator, "/v1/admin/budgets", body)
        if budget.frozen:
            at = {"scope": body["scope"], "unit": budget.unit}
            frozen = await operator.ask("POST", "/v1/admin/budgets/freeze", {}, query=at)
            _expect_made(frozen, 200)

    async def _key(self, operator: Caller, body: Mapping[str, Any]) -> str:
        return str((await _made(operator, "/v1/admin/api-keys", body))["key_secret"])


def body_of(budget: Budget, tenant: str) -> dict[str, Any]:
    """The body that creates a budget."""
    below = f"/{budget.scope}" if budget.scope else ""
    body: dict[str, Any] = {
        "scope": f"tenant:{tenant}{below}",
        "unit": budget.unit,
        "allocated": {"unit": budget.unit, "amount": budget.allocated},
    }
    if budget.overdraft_limit:
        body["overdraft_limit"] = {"unit": budget.unit, "amount": budget.overdraft_limit}
    return body


async def _made(operator: Caller, path: str, body: Mapping[str, Any]) -> Answer:
    answer = await operator.ask("POST", path, body)
    _expect_made(answer, 201)
    return answer


def _expect_made(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise ViolationError(
            f"the check could not be set up: {answer.method} {answer.path} answered {told(answer)}"
        )


class FixtureProvisioner:
    """Takes tenants that somebody made: the only way without the operator's API."""

    governs = False

    def __init__(self, http: httpx.AsyncClient, stands: Mapping[str, Any]) -> None:
        self._http = http
        self._stands = stands

    async def stand(self, check: Check, heard: Heard) -> Stand:
        """The stand that the file has for this check."""
        found = self._stands.get(check.requirement)
        if found is None:
            raise ViolationError(f"the file of fixtures has nothing for {check.requirement}")
        stranger = self._of(found["stranger"], heard) if check.setup.with_stranger else None
        return self._of(found, heard, stranger)

    async def clear(self) -> None:
        """Nothing was made."""

    def _of(self, found: Mapping[str, Any], heard: Heard, stranger: Stand | None = None) -> Stand:
        keys = {name: key["key_secret"] for name, key in found["keys"].items()}
        caller = Caller(self._http, heard).keyed(keys[MAIN])
        return Stand(caller, found["tenant_id"], keys, stranger=stranger)


def read_fixtures(path: Path) -> Mapping[str, Any]:
    """The stands in a file: the plan, with a `key_secret` put into each of its keys.

    Raises:
        FixturesError: naming what is missing.
    """
    try:
        stands = json.loads(path.read_text(encoding="utf-8"))["stands"]
        for stand in stands.values():
            for tenant in (stand, stand.get("stranger", stand)):
                str(tenant["tenant_id"])
                for key in (tenant["keys"][MAIN], *tenant["keys"].values()):
                    str(key["key_secret"])
    except OSError as problem:
        raise FixturesError(f"{path} cannot be read: {problem.strerror}") from problem
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise FixturesError(
            f"{path} is not a filled-in plan ({problem!r} is missing or wrong); "
            "cycles conformance --plan prints one to start from"
        ) from problem
    found: Mapping[str, Any] = stands
    return found


def plan(checks: tuple[Check, ...]) -> dict[str, Any]:
    """What has to be made for these checks, each used once; `key_secret` is to be added."""
    return {"stands": {check.requirement: _planned(check) for check in checks}}


def _planned(check: Check) -> dict[str, Any]:
    setup, tenant = check.setup, f"conformance-{check.requirement.lower()}"
    stand = _planned_tenant(setup, tenant)
    if setup.with_stranger:
        stand["stranger"] = _planned_tenant(setup, f"{tenant}-stranger")
    return stand


def _planned_tenant(setup: Setup, tenant: str) -> dict[str, Any]:
    return {
        "tenant_id": tenant,
        "settings": dict(setup.settings),
        "budgets": [
            {**body_of(budget, tenant), "frozen": asdict(budget)["frozen"]}
            for budget in setup.budgets
        ],
        "keys": {name: dict(body) for name, body in {MAIN: {}, **setup.keys}.items()},
    }
