"""Balances, one reservation, lists: what the protocol promises to those who only look."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runcycles.errors import (
    CyclesProtocolError,
    ForbiddenError,
    InvalidRequestError,
    ReservationExpiredError,
    ReservationNotFoundError,
)
from runcycles.ids import new_id
from runcycles.ops import (
    Allowed,
    Balances,
    Commit,
    GetReservation,
    ListReservations,
    ReservationPage,
)
from runcycles.types import ReservationStatus, Unit, tokens
from runcycles_server.authority import Authority
from runcycles_server.cursors import Cursor, decoded
from runcycles_server.stores.suite import Bench
from runcycles_server.stores.suite.bench import (
    NOON_MS,
    SCOPE,
    TENANT,
    a_reservation,
    a_reserve,
    an_account,
)
from runcycles_server.sweeper import Sweeper
from tests.server.stores.benches import STORES, bench_of


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=STORES)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_of(request.param, tmp_path) as found:
        yield found


async def read(bench: Bench, op: Any, tenant: str | None = TENANT) -> Any:
    reply = await Authority(bench.store).read(op, tenant=tenant)
    assert json.loads(reply.raw) is not None
    return reply.value


async def problem_of(bench: Bench, op: Any, tenant: str | None = TENANT) -> CyclesProtocolError:
    with pytest.raises(CyclesProtocolError) as raised:
        await read(bench, op, tenant)
    return raised.value


# ── balances ─────────────────────────────────────────────────────────────────────────────────


async def test_balances_hold_every_segment_asked_for_in_any_case(bench: Bench) -> None:
    await bench.keep(
        an_account(allocated=100, spent=1),
        an_account(scope=f"{SCOPE}/agent:bot", debt=3, overdraft_limit=2, allocated=10),
        an_account(scope=f"{SCOPE}/agent:bot", unit=Unit.CREDITS),
        an_account(scope=f"{SCOPE}/agent:bot-2"),
        an_account(tenant="other", scope="tenant:other/agent:bot"),
    )
    page = await read(bench, Balances(agent="BOT"))
    assert [(row.scope, row.scope_path) for row in page.balances] == [
        ("agent:bot", f"{SCOPE}/agent:bot")
    ] * 2
    owing = page.balances[1]
    assert owing.remaining.amount == 7
    assert (owing.debt, owing.overdraft_limit) == (tokens(3), tokens(2))
    assert owing.is_over_limit
    assert len((await read(bench, Balances(tenant=TENANT))).balances) == 4
    assert (await read(bench, Balances(agent="nobody"))).balances == ()


async def test_zero_debt_limit_and_flag_are_left_out(bench: Bench) -> None:
    await bench.open_budget(100)
    raw = (await Authority(bench.store).read(Balances(tenant=TENANT), tenant=TENANT)).raw
    assert json.loads(raw) == {
        "balances": [
            {
                "scope": SCOPE,
                "scope_path": SCOPE,
                "remaining": {"unit": "TOKENS", "amount": 100},
                "reserved": {"unit": "TOKENS", "amount": 0},
                "spent": {"unit": "TOKENS", "amount": 0},
                "allocated": {"unit": "TOKENS", "amount": 100},
            }
        ],
        "has_more": False,
    }


async def test_balances_need_one_of_the_six_levels(bench: Bench) -> None:
    problem = await problem_of(bench, Balances())
    assert isinstance(problem, InvalidRequestError)
    assert "at least one of tenant, workspace, app, workflow, agent, toolset" in str(problem)


async def test_balances_of_another_tenant_are_forbidden(bench: Bench) -> None:
    assert isinstance(await problem_of(bench, Balances(tenant="other")), ForbiddenError)


async def test_balances_come_in_pages(bench: Bench) -> None:
    accounts = [an_account(scope=f"{SCOPE}/agent:a{number}") for number in range(5)]
    await bench.keep(*accounts)
    seen: list[str] = []
    cursor = None
    while True:
        page = await read(bench, Balances(tenant=TENANT, limit=2, cursor=cursor))
        seen += [row.scope_path for row in page.balances]
        assert page.has_more is (page.next_cursor is not None)
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert seen == [account.scope for account in accounts]
    assert cursor is not None
    elsewhere = Balances(agent="a1", cursor=cursor)
    assert isinstance(await problem_of(bench, elsewhere), InvalidRequestError)


async def test_an_operator_reads_balances_of_the_tenant_it_names(bench: Bench) -> None:
    await bench.open_budget(100)
    assert len((await read(bench, Balances(tenant=TENANT), None)).balances) == 1
    assert "tenant" in str(await problem_of(bench, Balances(agent="bot"), None))


# ── one reservation ──────────────────────────────────────────────────────────────────────────


async def test_a_reservation_is_read_with_all_it_has(bench: Bench) -> None:
    await bench.open_budget(100)
    asked = replace(a_reserve(10), metadata={"order": 7})
    allowed = (await Authority(bench.store).ask(asked, tenant=TENANT)).value
    assert isinstance(allowed, Allowed)
    held = str(allowed.reservation_id)
    found = await read(bench, GetReservation(reservation_id=held))
    assert (found.status, found.reserved) == (ReservationStatus.ACTIVE, tokens(10))
    assert (found.idempotency_key, found.metadata) == (asked.idempotency_key, {"order": 7})
    assert (found.finalized_at_ms, found.committed, found.committed_metadata) == (None,) * 3
    commit = Commit(
        idempotency_key=new_id(),
        reservation_id=held,
        actual=tokens(4),
        metadata={"ok": True},
    )
    await Authority(bench.store).ask(commit, tenant=TENANT)
    found = await read(bench, GetReservation(reservation_id=held))
    assert (found.status, found.committed) == (ReservationStatus.COMMITTED, tokens(4))
    assert (found.finalized_at_ms, found.committed_metadata) == (NOON_MS, {"ok": True})


async def test_a_reservation_is_for_its_tenant_and_for_operators(bench: Bench) -> None:
    await bench.keep(a_reservation("rsv-1"))
    op = GetReservation(reservation_id="rsv-1")
    assert isinstance(await problem_of(bench, op, "other"), ForbiddenError)
    assert (await read(bench, op, None)).reservation_id == "rsv-1"
    never = GetReservation(reservation_id="never-was")
    assert isinstance(await problem_of(bench, never), ReservationNotFoundError)


async def test_an_expired_reservation_is_gone_by_id_but_still_listed(bench: Bench) -> None:
    await bench.open_budget(100)
    held = await bench.hold(10)
    bench.clock.ms += 65_001
    op = GetReservation(reservation_id=held)
    assert (await read(bench, op)).status is ReservationStatus.ACTIVE
    await Sweeper(bench.store).sweep_once()
    problem = await problem_of(bench, op)
    assert isinstance(problem, ReservationExpiredError)
    assert problem.status == 410
    (row,) = (await read(bench, ListReservations())).reservations
    assert row.status is ReservationStatus.EXPIRED


# ── lists ────────────────────────────────────────────────────────────────────────────────────


async def some_reservations(bench: Bench) -> None:
    await bench.keep(
        *(
            a_reservation(
                f"rsv-{number}",
                created_at_ms=NOON_MS + number // 2 * 1_000,
                metadata={"number": number},
                affected_scopes=(SCOPE, f"{SCOPE}/agent:a{number % 2}"),
            )
            for number in range(6)
        ),
        a_reservation("rsv-other", tenant="other"),
    )


def ids(page: ReservationPage) -> list[str]:
    return [row.reservation_id.removeprefix("rsv-") for row in page.reservations]


async def listed(bench: Bench, **asked: Any) -> list[str]:
    return ids(await read(bench, ListReservations(**asked)))


async def test_lists_are_the_tenants_own_the_youngest_first(bench: Bench) -> None:
    await some_reservations(bench)
    assert await listed(bench) == ["4", "5", "2", "3", "0", "1"]
    assert await listed(bench, tenant=TENANT, agent="A1") == ["5", "3", "1"]
    problem = await problem_of(bench, ListReservations(tenant="other"))
    assert isinstance(problem, ForbiddenError)
    assert ids(await read(bench, ListReservations(tenant="other"), None)) == ["other"]
    assert "an operator has to say" in str(await problem_of(bench, ListReservations(), None))


async def test_lists_are_sorted_as_asked(bench: Bench) -> None:
    await some_reservations(bench)
    assert await listed(bench, sort_by="reservation_id") == ["5", "4", "3", "2", "1", "0"]
    assert await listed(bench, sort_dir="ASC") == ["0", "1", "2", "3", "4", "5"]
    assert await listed(bench, sort_by="Scope_Path", sort_dir="asc") == [
        *("0", "2", "4", "1", "3", "5")
    ]


async def test_windows_include_their_ends_to_the_millisecond(bench: Bench) -> None:
    await some_reservations(bench)
    noon = "2030-03-17T17:46:40"
    assert await listed(bench, created_from=f"{noon}Z", created_to=f"{noon}Z") == ["0", "1"]
    assert await listed(bench, created_from=f"{noon}.0001Z", created_to=f"{noon}.9999Z") == []
    assert await listed(bench, created_from="2030-03-17T19:46:41+02:00") == ["4", "5", "2", "3"]
    assert await listed(bench, created_to=f"{noon}.999999999Z") == ["0", "1"]
    assert await listed(bench, created_to="  ", expires_from="") == await listed(bench)
    assert await listed(bench, expires_to="2030-03-17T17:47:39.999Z") == []
    assert await listed(bench, finalized_from="1970-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"status": "active"}, "status"),
        ({"status": ""}, "status"),
        ({"sort_by": "colour"}, "sort_by"),
        ({"sort_by": ""}, "sort_by"),
        ({"sort_dir": "up"}, "sort_dir"),
        ({"created_from": "2030-03-17"}, "from"),
        ({"created_to": "2030-03-17T17:46:40"}, "to"),
        ({"expires_from": "2030-02-30T00:00:00Z"}, "expires_from"),
        ({"expires_to": "tomorrow"}, "expires_to"),
        ({"finalized_from": "2030-03-17 17:46:40Z"}, "finalized_from"),
        ({"finalized_to": "20300317T174640Z"}, "finalized_to"),
        (
            {"created_from": "2030-03-18T00:00:00Z", "created_to": "2030-03-17T00:00:00Z"},
            "from",
        ),
        ({"cursor": "not a cursor"}, "cursor"),
        ({"cursor": "WzFd"}, "cursor"),
    ],
)
async def test_a_wrong_parameter_is_named(bench: Bench, asked: dict[str, Any], name: str) -> None:
    problem = await problem_of(bench, ListReservations(**asked))
    assert isinstance(problem, InvalidRequestError)
    assert problem.details == {"field": name}


async def test_optional_members_come_when_asked_for(bench: Bench) -> None:
    await some_reservations(bench)
    plain = await read(bench, ListReservations(limit=1))
    full = await read(bench, ListReservations(limit=1, include="nothing, metadata,,evidence"))
    assert plain.reservations[0].metadata is None
    assert full.reservations[0].metadata == {"number": 4}


async def test_pages_follow_each_other_in_every_order(bench: Bench) -> None:
    await some_reservations(bench)
    orders: list[dict[str, Any]] = [
        {},
        {"sort_by": "reserved"},
        {"sort_by": "scope_path", "sort_dir": "asc"},
    ]
    for order in orders:
        seen, cursor = [], None
        while True:
            asked = ListReservations(limit=4, cursor=cursor, **order)
            page = await read(bench, asked)
            seen += ids(page)
            assert page.has_more is (page.next_cursor is not None)
            if page.next_cursor is None:
                break
            cursor = page.next_cursor
        assert seen == await listed(bench, **order)


async def test_a_cursor_belongs_to_its_filters_and_its_order(bench: Bench) -> None:
    await some_reservations(bench)
    first = await read(bench, ListReservations(limit=2, sort_by="reservation_id"))
    cursor = first.next_cursor
    assert await listed(bench, cursor=cursor) == ["3", "2", "1", "0"]  # it brings its own order
    assert await listed(bench, cursor=cursor, include="metadata", limit=1) == ["3"]
    others: list[dict[str, Any]] = [
        {"sort_by": "status"},
        {"sort_by": "reservation_id", "sort_dir": "asc"},
        {"status": "ACTIVE"},
        {"agent": "a1"},
        {"created_from": "2030-03-17T17:46:40Z"},
        {"idempotency_key": "k"},
    ]
    for asked in others:
        problem = await problem_of(bench, ListReservations(cursor=cursor, **asked))
        assert problem.details == {"field": "cursor"}, asked
    problem = await problem_of(bench, ListReservations(cursor=cursor, tenant="other"), None)
    assert problem.details == {"field": "cursor"}


@pytest.mark.parametrize("bent", [{"sort_by": "colour"}, {"after": (7, "rsv-1")}])
async def test_a_bent_cursor_is_refused(bench: Bench, bent: dict[str, Any]) -> None:
    await some_reservations(bench)
    page = await read(bench, ListReservations(limit=2, sort_by="status"))
    cursor = decoded(page.next_cursor)
    assert isinstance(cursor, Cursor)
    problem = await problem_of(bench, ListReservations(cursor=replace(cursor, **bent).encoded()))
    assert problem.details == {"field": "cursor"}
