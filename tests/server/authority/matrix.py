"""The authority matrix itself: each cell is asked in a fresh world, and its answer looked at."""

import asyncio
from collections.abc import Iterable

from runcycles.types import TenantStatus
from runcycles_server.governance.permissions import Permission, formerly, permits
from runcycles_server.http.endpoint import Endpoint
from tests.server.authority.asks import ASKS
from tests.server.authority.expectations import Caller, expected
from tests.server.authority.world import OPERATOR, Blueprint, World, blueprint

UNKNOWN_KEY = {"X-Cycles-API-Key": "cyc_live_" + "A" * 43}
WRONG_ADMIN = {"X-Admin-API-Key": "guessed"}


async def headers_of(
    caller: Caller, row: Endpoint, world: World, plan: Blueprint
) -> dict[str, str]:
    """The keys that a caller shows, good or bad in their way."""
    acme = plan.acme
    match caller:
        case Caller.NOBODY:
            return {}
        case Caller.STRANGER:
            return UNKNOWN_KEY
        case Caller.OTHER_TENANT:
            return plan.rival.key
        case Caller.OPERATOR:
            return OPERATOR
        case Caller.OPERATOR_TOO:
            return {**OPERATOR, **UNKNOWN_KEY}
        case Caller.FALSE_OPERATOR:
            return {**WRONG_ADMIN, **acme.key}
        case Caller.UNPERMITTED:
            await world.change_key(acme.secret, permissions=others_than(row.permission))
        case Caller.OUTSIDE:
            await world.change_key(acme.secret, scope_filter=("agent:nobody", "workspace:*"))
        case Caller.EXPIRED:
            await world.change_key(acme.secret, expires_at_ms=world.store.now_ms())
        case Caller.REVOKED:
            await world.change_key(acme.secret, status="REVOKED")
        case Caller.SUSPENDED:
            await world.change_tenant(acme.tenant, status=TenantStatus.SUSPENDED)
        case Caller.CLOSED:
            await world.change_tenant(acme.tenant, status=TenantStatus.CLOSED)
        case Caller.OWNER:
            pass
    return acme.key


def others_than(wanted: Permission | None) -> tuple[str, ...]:
    """Every permission that does not cover the wanted one."""
    return tuple(
        held
        for held in Permission
        if wanted is None or not (permits([held], wanted) or formerly([held], wanted))
    )


async def fault(row: Endpoint, caller: Caller, plan: Blueprint) -> str | None:
    """What is wrong with the answer that this caller gets, if anything is."""
    wanted = expected(row, caller)
    async with plan.world([row]) as world:
        headers = await headers_of(caller, row, world, plan)
        before = world.store.ledger()
        ask = ASKS[row.operation](plan.acme, "X-Admin-API-Key" in headers)
        async with world.client(headers) as client:
            answer = await ask.put(client, row)
        after = world.store.ledger()
    cell = f"{row.operation} asked with {caller}: {answer.status_code} {answer.text[:200]}"
    if answer.status_code not in wanted.statuses:
        return f"{cell}, not {wanted.statuses}"
    if wanted.code is not None and answer.json()["error"] != wanted.code:
        return f"{cell}, not {wanted.code}"
    if not wanted.holds(answer, plan.acme):
        return f"{cell}: it says what this caller may not know"
    if answer.is_error and before != after:
        return f"{cell}, and it changed {[key for key in after if before.get(key) != after[key]]}"
    return None


def faults(rows: Iterable[Endpoint]) -> list[str]:
    """Everything that is wrong with these rows of the table."""
    plan = blueprint()

    async def all_of() -> list[str]:
        found = [await fault(row, caller, plan) for row in rows for caller in Caller]
        return [each for each in found if each is not None]

    return asyncio.run(all_of())
