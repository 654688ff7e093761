"""The shell around the ledger: what it asks the store, what it answers, what it raises."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runcycles.errors import (
    BudgetExceededError,
    ForbiddenError,
    IdempotencyMismatchError,
    ReservationNotFoundError,
    SettlementRefusedError,
)
from runcycles.ids import new_id
from runcycles.ledger.state import Tenant
from runcycles.ops import Commit, Decide, Denied, Record, Release
from runcycles.types import TenantStatus, tokens
from runcycles_server.authority import Authority, Reply
from runcycles_server.stores.suite import Bench
from runcycles_server.stores.suite.bench import ACTION, SUBJECT, TENANT, a_reserve
from tests.server.stores.benches import STORES, bench_of


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=STORES)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_of(request.param, tmp_path) as found:
        await found.open_budget(100)
        yield found


def a_decide(amount: int) -> Decide:
    return Decide(idempotency_key=new_id(), subject=SUBJECT, action=ACTION, estimate=tokens(amount))


async def reserved(bench: Bench, amount: int) -> Reply[Any]:
    return await Authority(bench.store).ask(a_reserve(amount, key="k"), tenant=TENANT)


async def test_an_answer_is_its_bytes_and_its_value(bench: Bench) -> None:
    reply = await reserved(bench, 10)
    body = json.loads(reply.raw)
    assert reply.value is not None
    assert body["reservation_id"] == reply.value.reservation_id
    assert body["balances"][0]["remaining"] == {"unit": "TOKENS", "amount": 90}


async def test_a_repeated_question_gets_the_same_bytes_with_the_time_that_is_left(
    bench: Bench,
) -> None:
    first = await reserved(bench, 10)
    bench.clock.ms += 1_500
    again = await reserved(bench, 10)
    one, other = json.loads(first.raw), json.loads(again.raw)
    assert (one.pop("remaining_ttl_ms"), other.pop("remaining_ttl_ms")) == (60_000, 58_500)
    assert one == other


async def test_a_repeated_settlement_gets_the_same_bytes(bench: Bench) -> None:
    held = await bench.hold(10)
    op = Commit(idempotency_key="c", reservation_id=held, actual=tokens(3))
    first = await Authority(bench.store).ask(op, tenant=TENANT)
    assert (await Authority(bench.store).ask(op, tenant=TENANT)).raw == first.raw


async def test_a_refusal_is_raised_as_what_it_is(bench: Bench) -> None:
    with pytest.raises(BudgetExceededError) as refused:
        await reserved(bench, 101)
    assert (refused.value.status, refused.value.remaining) == (409, 100)
    with pytest.raises(ReservationNotFoundError):
        await bench.release("never-was")
    record = Record(idempotency_key=new_id(), subject=SUBJECT, action=ACTION, actual=tokens(1))
    with pytest.raises(ForbiddenError):
        await Authority(bench.store).ask(record, tenant="other")
    held = await bench.hold(1, key="k")
    with pytest.raises(ForbiddenError):
        await Authority(bench.store).ask(
            Commit(idempotency_key="c", reservation_id=held, actual=tokens(1)),
            tenant="other",
        )
    with pytest.raises(IdempotencyMismatchError):
        await reserved(bench, 2)


async def test_a_denied_decision_is_an_answer_and_tells_more_to_who_understands(
    bench: Bench,
) -> None:
    plain = await Authority(bench.store).ask(a_decide(101), tenant=TENANT)
    assert isinstance(plain.value, Denied)
    assert "deny_detail" not in json.loads(plain.raw)
    told = await Authority(bench.store).ask(a_decide(101), tenant=TENANT, extended=True)
    assert json.loads(told.raw)["deny_detail"]["budget_remaining"] == 100


async def test_a_refused_settlement_says_what_it_was_for(bench: Bench) -> None:
    held = await bench.hold(10)
    await bench.keep(Tenant(tenant_id=TENANT, status=TenantStatus.CLOSED))
    with pytest.raises(SettlementRefusedError) as refused:
        await bench.commit(held, 7)
    assert (refused.value.reservation_id, refused.value.actual) == (held, 7)


async def test_an_operator_settles_for_every_tenant_and_asks_for_none(bench: Bench) -> None:
    held = await bench.hold(10)
    release = Release(idempotency_key="r", reservation_id=held)
    reply = await Authority(bench.store).ask(release, tenant=None)
    assert json.loads(reply.raw)["released"] == {"unit": "TOKENS", "amount": 10}
    with pytest.raises(ValueError, match="only a tenant can reserve"):
        await Authority(bench.store).ask(a_reserve(1), tenant=None)
