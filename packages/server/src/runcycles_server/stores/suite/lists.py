"""Lists: the same rows in the same order from every store, whole or page by page."""

from dataclasses import replace
from itertools import product
from typing import Any, Final

from runcycles.ledger.state import Reservation, Tenant
from runcycles.types import INT64_MAX, Amount, ReservationStatus, Unit, tokens
from runcycles_server.stores.queries import SORTS, ReservationQuery, Window
from runcycles_server.stores.suite.bench import (
    NOON_MS,
    SCOPE,
    TENANT,
    Bench,
    Check,
    a_reservation,
    an_account,
)
from runcycles_server.stores.suite.samples import an_api_key

EVERY: Final = ReservationQuery(tenant=TENANT, limit=200)


def varied() -> list[Reservation]:
    """Reservations that tie in every column that is sorted by, and one of somebody else."""
    rows = [
        _varied(number, agent, status)
        for number, (agent, status) in enumerate(product("ab", ReservationStatus))
    ]
    return [*rows, a_reservation("rsv-other", tenant="other")]


def _varied(number: int, agent: str, status: ReservationStatus) -> Reservation:
    is_final = status in (ReservationStatus.COMMITTED, ReservationStatus.RELEASED)
    path = f"{SCOPE}/agent:{agent}"
    return a_reservation(
        f"rsv-{7 - number}",
        status=status,
        estimate=Amount(unit=Unit.TOKENS, amount=INT64_MAX if number % 3 == 0 else number % 2),
        affected_scopes=(SCOPE, path),
        created_at_ms=NOON_MS + number // 3,
        expires_at_ms=NOON_MS + 100 + number % 2,
        finalized_at_ms=NOON_MS + number if is_final else None,
        charged=0 if status is ReservationStatus.COMMITTED else None,
    )


async def every_order_is_kept_page_by_page(bench: Bench) -> None:
    """Each column both ways, ties by id; pages of any size hold the same rows as one list."""
    await bench.keep(*varied())
    for sort_by, descending in product(SORTS, (True, False)):
        query = replace(EVERY, sort_by=sort_by, descending=descending)
        rows = await bench.store.reservations(query)
        expected = sorted(varied()[:-1], key=lambda row: row.reservation_id)
        expected.sort(key=SORTS[sort_by], reverse=descending)
        assert rows == expected, (sort_by, descending, rows)
        for limit in (1, 3):
            assert await _paged(bench, replace(query, limit=limit)) == rows, (sort_by, limit)


async def _paged(bench: Bench, query: ReservationQuery) -> list[Reservation]:
    rows: list[Reservation] = []
    while page := await bench.store.reservations(query):
        assert len(page) <= query.limit
        rows += page
        after = (SORTS[query.sort_by](page[-1]), page[-1].reservation_id)
        query = replace(query, after=after)
    return rows


async def every_filter_chooses_what_it_says(bench: Bench) -> None:
    """Filters hold together, windows include their ends, a row without an end is in no window."""
    rows = varied()
    await bench.keep(*rows)
    queries: list[dict[str, Any]] = [
        *({"status": status} for status in ReservationStatus),
        {"segments": {"agent": "a"}},
        {"segments": {"agent": "b", "tenant": TENANT}},
        {"segments": {"agent": "c"}},
        {"created": Window(lowest=NOON_MS + 1)},
        {"created": Window(highest=NOON_MS + 1)},
        {"created": Window(lowest=NOON_MS + 1, highest=NOON_MS + 1)},
        {"expires": Window(lowest=NOON_MS + 101)},
        {"expires": Window(highest=NOON_MS + 100)},
        {"finalized": Window(lowest=0)},
        {"finalized": Window(highest=NOON_MS + 5)},
        {"finalized": Window(lowest=-5, highest=NOON_MS + 2), "segments": {"agent": "a"}},
        {"scope_filter": ("agent:a",)},
        {"scope_filter": ("agent:c", "app:*")},
        {"scope_filter": ("app:x", "Agent:B")},
        {"scope_filter": ("agent:*",), "segments": {"agent": "a"}},
        {"scope_filter": (f"tenant:{TENANT}",)},
        {"scope_filter": ("tenant:other", "agent:b")},
        {"scope_filter": ("tenant:*",)},
        {"tenant": "other"},
        {"tenant": "nobody"},
    ]
    for fields in queries:
        query = replace(EVERY, sort_by="reservation_id", descending=False, **fields)
        found = await bench.store.reservations(query)
        expected = sorted(filter(query.matches, rows), key=lambda row: row.reservation_id)
        assert found == expected, (fields, found)


async def segments_are_whole(bench: Bench) -> None:
    """`agent:bot` is neither in `agent:bot-2` nor in `agent:my.bot`, and `_` stands for itself."""
    paths = [f"{SCOPE}/agent:{name}" for name in ("bot", "bot-2", "my.bot", "b_t")]
    await bench.keep(
        *(a_reservation(path, affected_scopes=(SCOPE, path)) for path in paths),
        *(an_account(scope=path) for path in paths),
    )
    for name in ("bot", "b_t"):
        wanted = {"agent": name}
        rows = await bench.store.reservations(replace(EVERY, segments=wanted))
        assert [row.scope_path for row in rows] == [f"{SCOPE}/agent:{name}"]
        accounts = await bench.store.accounts(TENANT, wanted)
        assert [account.scope for account in accounts] == [f"{SCOPE}/agent:{name}"]


async def a_reservation_is_found_by_the_key_it_was_made_with(bench: Bench) -> None:
    """Exactly that one, of that tenant; other filters hold as well."""
    await bench.open_budget(100)
    for key in ("one", "other"):
        await bench.reserve(10, key=key)
    (row,) = await bench.store.reservations(replace(EVERY, idempotency_key="one"))
    assert (row.idempotency_key, row.estimate) == ("one", tokens(10))
    nothing: list[dict[str, Any]] = [
        {"idempotency_key": "none"},
        {"idempotency_key": "one", "tenant": "other"},
        {"idempotency_key": "one", "status": ReservationStatus.EXPIRED},
    ]
    for fields in nothing:
        assert await bench.store.reservations(replace(EVERY, **fields)) == [], fields


async def accounts_come_by_scope(bench: Bench) -> None:
    """Those of one tenant or of all, in the order of their scopes and units."""
    accounts = [
        an_account(scope=SCOPE, unit=Unit.CREDITS),
        an_account(scope=SCOPE, unit=Unit.TOKENS),
        an_account(scope=f"{SCOPE}/agent:a"),
        an_account(scope="workspace:shared"),
        an_account(scope="workspace:shared", tenant="other"),
    ]
    await bench.keep(*reversed(accounts))
    assert await bench.store.accounts(None) == accounts
    assert await bench.store.accounts(TENANT) == accounts[:4]
    assert await bench.store.accounts("nobody") == []
    assert await bench.store.accounts(None, {"workspace": "shared"}) == accounts[3:]


async def operators_lists_come_by_id(bench: Bench) -> None:
    """Tenants, and API keys of one tenant or of all."""
    tenants = [Tenant(tenant_id=name) for name in ("a", "b", "c")]
    keys = [
        an_api_key(f"key_{number}", tenant_id=tenant, digest=f"{9 - number:02x}")
        for number, tenant in enumerate("aab")
    ]
    await bench.keep(*reversed(tenants), *reversed(keys))
    assert await bench.store.tenants() == tenants
    assert await bench.store.api_keys(None) == keys
    assert await bench.store.api_keys("a") == keys[:2]
    assert await bench.store.api_keys("c") == []


async def what_is_held_counts_once(bench: Bench) -> None:
    """In the outermost budget that holds something; each unit by itself."""
    held = {
        (SCOPE, Unit.TOKENS): 5,
        (f"{SCOPE}/agent:a", Unit.TOKENS): 5,
        (f"{SCOPE}/agent:a", Unit.CREDITS): 3,
        (f"{SCOPE}/agent:b", Unit.CREDITS): 4,
        (f"{SCOPE}/agent:b/toolset:c", Unit.CREDITS): 2,
        (f"{SCOPE}/agent:c", Unit.RISK_POINTS): 0,
    }
    await bench.keep(
        *(
            an_account(scope=scope, unit=unit, allocated=10, reserved=reserved)
            for (scope, unit), reserved in held.items()
        ),
        an_account(tenant="other", allocated=1, reserved=1),
    )
    assert await bench.store.held() == {Unit.TOKENS: 6, Unit.CREDITS: 7}


CHECKS: Final[tuple[Check, ...]] = (
    every_order_is_kept_page_by_page,
    every_filter_chooses_what_it_says,
    segments_are_whole,
    a_reservation_is_found_by_the_key_it_was_made_with,
    accounts_come_by_scope,
    operators_lists_come_by_id,
    what_is_held_counts_once,
)
