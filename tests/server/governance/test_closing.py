"""Closing a tenant: whatever happens meanwhile, nothing of it is left running."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

from runcycles.errors import CyclesProtocolError, StoreError
from runcycles.ledger.idempotency import Replayed
from runcycles.ledger.state import Account, Reservation
from runcycles.types import BudgetStatus, ReservationStatus, TenantStatus, Unit, tokens
from runcycles_server.authority import Authority
from runcycles_server.governance.audit.deeds import Actor
from runcycles_server.governance.budgets import commands as budgets
from runcycles_server.governance.budgets.bodies import BudgetCreate
from runcycles_server.governance.keys import commands as keys
from runcycles_server.governance.keys.bodies import KeyCreate
from runcycles_server.governance.operator import Operator
from runcycles_server.governance.tenants import closing, commands
from runcycles_server.governance.tenants.bodies import TenantCreate, TenantUpdate
from runcycles_server.stores import Store
from runcycles_server.stores.queries import ReservationQuery
from runcycles_server.stores.suite import Bench, Clock
from runcycles_server.stores.suite.bench import TENANT, a_reserve
from tests.server.governance.written import ShownStore
from tests.server.stores.benches import STORES, bench_of

OPERATOR = Actor(request_id="r" * 32, trace_id="t" * 32)
CLOSE = TenantUpdate(status=TenantStatus.CLOSED)
CORRELATION = f"tenant_close_cascade:{TENANT}:{OPERATOR.request_id}"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def furnished(bench: Bench) -> Bench:
    """A tenant with two budgets and two keys."""
    operator = Operator(bench.store)
    await commands.create(operator, TenantCreate(tenant_id=TENANT, name="Acme"), OPERATOR)
    for scope in (f"tenant:{TENANT}", f"tenant:{TENANT}/agent:writer"):
        request = BudgetCreate(scope=scope, unit=Unit.TOKENS, allocated=tokens(10**6))
        await budgets.create(operator, request, OPERATOR, tenant=TENANT)
        await keys.create(operator, KeyCreate(tenant_id=TENANT, name=scope), OPERATOR)
    return bench


@pytest.fixture(params=STORES)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_of(request.param, tmp_path) as found:
        yield await furnished(found)


@pytest.fixture
async def shown() -> tuple[Bench, ShownStore]:
    store = ShownStore()
    await store.start()
    bench = await furnished(Bench(store, Clock()))
    return bench, store


async def closed(bench: Bench, store: Store | None = None) -> None:
    tenant = await commands.update(Operator(store or bench.store), CLOSE, OPERATOR, TENANT)
    assert tenant.status == TenantStatus.CLOSED


async def reservations(bench: Bench) -> list[Reservation]:
    return await bench.store.reservations(ReservationQuery(tenant=TENANT, limit=100_000))


async def running(bench: Bench) -> int:
    rows = await reservations(bench)
    return sum(row.status is ReservationStatus.ACTIVE for row in rows)


async def assert_all_over(bench: Bench) -> None:
    """Nothing of the tenant runs, holds or opens anything, and every charge is still there."""
    rows = await reservations(bench)
    accounts = await bench.store.accounts(TENANT)
    assert {row.status for row in rows} <= {ReservationStatus.RELEASED, ReservationStatus.COMMITTED}
    assert {(found.status, found.reserved) for found in accounts} == {(BudgetStatus.CLOSED, 0)}
    assert accounts[0].spent == sum(row.charged or 0 for row in rows)
    opened = await bench.store.api_keys(TENANT)
    assert {(key.status, key.revoked_reason) for key in opened} == {("REVOKED", "tenant_closed")}


# ── on every store ──────────────────────────────────────────────────────────────────────────────


async def test_everything_a_tenant_has_ends_with_it(bench: Bench) -> None:
    await bench.commit(await bench.hold(70), 60)
    for _ in range(3):
        await bench.hold(5)
    await closed(bench)
    await assert_all_over(bench)
    released = [row for row in await reservations(bench) if row.release_reason]
    assert [row.release_reason for row in released] == ["tenant_closed"] * 3


async def test_what_was_answered_before_is_answered_again(bench: Bench) -> None:
    reserve = a_reserve(5, key="before")
    first = await bench.ask(reserve)
    await closed(bench)
    again = await bench.ask(reserve)
    assert isinstance(again, Replayed)
    assert (again.raw, again.remaining_ttl_ms) == (first.raw, 0)
    with pytest.raises(CyclesProtocolError) as caught:
        await bench.reserve(5)
    assert caught.value.error_code == "TENANT_CLOSED"


async def test_whoever_reserves_while_the_tenant_closes_leaves_nothing_behind(bench: Bench) -> None:
    authority = Authority(bench.store)
    made: list[str] = []
    refused: list[str] = []

    async def hammer(every: int) -> None:
        try:
            while True:
                held: Any = (await authority.ask(a_reserve(3), tenant=TENANT)).value
                made.append(held.reservation_id)
                if len(made) % every == 0:
                    await bench.commit(held.reservation_id, 2)
                await anyio.lowlevel.checkpoint()
        except CyclesProtocolError as refusal:
            refused.append(refusal.error_code)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as workers:
            for every in range(2, 18):
                workers.start_soon(hammer, every)
            while len(made) < 100:
                await anyio.lowlevel.checkpoint()
            await closed(bench)
    assert refused == ["TENANT_CLOSED"] * 16
    assert len(await reservations(bench)) == len(made)
    await assert_all_over(bench)


async def test_a_key_whose_tenant_was_closed_in_between_is_not_made(bench: Bench) -> None:
    await closed(bench)
    with pytest.raises(CyclesProtocolError):
        await keys.create(Operator(bench.store), KeyCreate(tenant_id=TENANT, name="k"), OPERATOR)


# ── between the look and the act ────────────────────────────────────────────────────────────────


class Interrupted:
    """A store where something happens after the first look at what is to end, before the act.

    A blind one shows nothing to whoever looks again.
    """

    def __init__(
        self, store: Store, happens: Callable[[], Awaitable[Any]], *, blind: bool = False
    ) -> None:
        self._store, self._happens, self._blind, self._looks = store, happens, blind, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def reservations(self, query: ReservationQuery) -> list[Reservation]:
        self._looks += 1
        if self._looks > 1 and self._blind:
            return []
        found = await self._store.reservations(query)
        if self._looks == 1:
            await self._happens()
        return found


def interrupted(bench: Bench, happens: Callable[[], Awaitable[Any]], **how: bool) -> Store:
    return cast("Store", Interrupted(bench.store, happens, **how))


async def test_what_began_between_the_look_and_the_act_ends_too(bench: Bench) -> None:
    await closed(bench, interrupted(bench, lambda: bench.hold(5)))
    await assert_all_over(bench)


async def test_what_was_settled_between_the_look_and_the_act_stays_settled(bench: Bench) -> None:
    held = await bench.hold(5)
    await closed(bench, interrupted(bench, lambda: bench.commit(held, 4)))
    await assert_all_over(bench)
    (row,) = await reservations(bench)
    assert (row.status, row.charged) == (ReservationStatus.COMMITTED, 4)


async def test_one_look_alone_would_leave_something_running(bench: Bench) -> None:
    await closed(bench, interrupted(bench, lambda: bench.hold(5), blind=True))
    assert await running(bench) == 1
    await closed(bench)
    await assert_all_over(bench)


# ── what the audit log says ─────────────────────────────────────────────────────────────────────


async def test_each_thing_that_ended_is_written_down_once_and_the_tenant_last(
    shown: tuple[Bench, ShownStore],
) -> None:
    bench, store = shown
    held = await bench.hold(5)
    store.written.clear()
    await closed(bench)
    opened = await store.api_keys(TENANT)
    assert [
        (entry.operation, entry.resource_type, entry.resource_id) for entry in store.entries
    ] == [
        ("reservation.released_via_tenant_cascade", "reservation", held),
        ("budget.closed_via_tenant_cascade", "budget", f"tenant:{TENANT}:TOKENS"),
        ("budget.closed_via_tenant_cascade", "budget", f"tenant:{TENANT}/agent:writer:TOKENS"),
        *(("api_key.revoked_via_tenant_cascade", "api_key", key.key_id) for key in opened),
        ("updateTenant", "tenant", TENANT),
    ]
    for entry in store.entries:
        details = entry.details or {}
        assert (entry.tenant_id, details["correlation_id"]) == (TENANT, CORRELATION)
        assert details["actor_type"] == "admin_on_behalf_of"
        assert details["before"]["status"] != details["after"]["status"]
    assert (store.entries[1].details or {})["before"]["reserved"] == 5
    ids = [entry.log_id for entry in store.entries]
    assert ids == sorted(ids)


async def test_closing_twice_writes_nothing_the_second_time(
    shown: tuple[Bench, ShownStore],
) -> None:
    bench, store = shown
    await closed(bench)
    store.written.clear()
    await closed(bench)
    assert store.written == []


async def test_closing_again_ends_what_an_interrupted_close_left(
    shown: tuple[Bench, ShownStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, store = shown
    first, second = await bench.hold(5), await bench.hold(5)
    monkeypatch.setattr(closing, "MAX_TOGETHER", 1)
    store.written.clear()
    store.fails_after = 1
    with pytest.raises(StoreError):
        await closed(bench)
    store.fails_after = None
    assert (await commands.get(Operator(store), TENANT)).status == TenantStatus.CLOSED
    assert await running(bench) == 1
    await closed(bench)
    await assert_all_over(bench)
    named = [entry.resource_id for entry in store.entries]
    assert (named[:3], len(named)) == ([first, TENANT, second], len(set(named)))
    assert len(named) == 2 + 1 + 2 + 2


# ── more than one transaction takes ─────────────────────────────────────────────────────────────


async def test_what_is_too_much_for_one_transaction_ends_in_several(
    shown: tuple[Bench, ShownStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, store = shown
    monkeypatch.setattr(closing, "MAX_TOGETHER", 3)
    monkeypatch.setattr(closing, "MAX_LOOKED_UP", 4)
    for _ in range(9):
        await bench.hold(5)
    store.written.clear()
    await closed(bench)
    await assert_all_over(bench)
    order = [type(record).__name__ for record in store.written]
    assert order.index("Tenant") < 5, "the tenant closes in the first transaction"
    assert order.count("AuditEntry") == 9 + 2 + 2 + 1


async def test_an_account_is_drained_before_it_closes(bench: Bench) -> None:
    await bench.hold(5)
    await closed(bench)
    found = await bench.store.get(("account", TENANT, f"tenant:{TENANT}", "TOKENS"))
    assert isinstance(found, Account)
    assert (found.reserved, found.allocated, found.remaining) == (0, 10**6, 10**6)
