"""The same program against a real server, an embedded authority and the one for tests."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from runcycles import (
    Action,
    Allowed,
    AsyncCyclesClient,
    BudgetExceededError,
    CyclesClient,
    CyclesConfig,
    Denied,
    ObserveMode,
    Subject,
    Usage,
    cycles,
    tokens,
)
from runcycles.ledger.state import Tenant
from runcycles.ops import Reserve
from runcycles.testing import InMemoryAuthority
from runcycles_server.embedded import EmbeddedAuthority
from tests.support.served import served

ACTION = Action(kind="llm.completion", name="gpt-4o")
Clients = tuple[CyclesClient, AsyncCyclesClient]


@contextmanager
def on_a_server() -> Iterator[Clients]:
    with served() as server:
        tenant = server.tenant(allocated=1_000)
        config = CyclesConfig(
            base_url=server.base_url, api_key=server.key_of(tenant), tenant=tenant
        )
        yield CyclesClient(config), AsyncCyclesClient(config)


@contextmanager
def embedded() -> Iterator[Clients]:
    authority = EmbeddedAuthority(budget=tokens(1_000))
    yield CyclesClient(authority=authority), AsyncCyclesClient(authority=authority)
    authority.close()


@contextmanager
def in_memory() -> Iterator[Clients]:
    authority = InMemoryAuthority(budgets={"tenant:acme": tokens(1_000)})
    yield CyclesClient(authority=authority), AsyncCyclesClient(authority=authority)


Opened = Callable[[], AbstractContextManager[Clients]]


@pytest.mark.parametrize("opened", [on_a_server, embedded, in_memory])
def test_a_program_behaves_alike(opened: Opened) -> None:
    with opened() as (client, _), client:
        with client.guard(action=ACTION, estimate=tokens(100)) as spend:
            spend.record(Usage(tokens_input=30, tokens_output=12))

        @cycles(estimate=tokens(900), actual=len, client=client)
        def answer() -> str:
            return "x" * 58

        answer()
        with (
            pytest.raises(BudgetExceededError) as denied,
            client.guard(action=ACTION, estimate=tokens(901), subject=Subject(agent="writer")),
        ):
            pytest.fail("the call ran")
        assert (denied.value.requested, denied.value.remaining) == (901, 900)
        assert denied.value.suggested_fix
        assert len(denied.value.trace_id or "") == 32
        assert isinstance(client.decide(action=ACTION, estimate=tokens(901)), Denied)
        held = client.reserve(action=ACTION, estimate=tokens(900))
        assert isinstance(held, Allowed)
        assert client.extend(held.reservation_id or "", 1_000).expires_at_ms
        assert client.release(held.reservation_id or "").released == tokens(900)
        [balance] = client.balances().balances
        assert balance.spent == tokens(100)
        states = {each.status for each in client.every_reservation(limit=1)}
        assert states == {"COMMITTED", "RELEASED"}


@pytest.mark.parametrize("opened", [on_a_server, embedded, in_memory])
async def test_an_async_program_behaves_alike(opened: Opened) -> None:
    with opened() as (client, async_client):
        async with async_client:
            async with async_client.guard(action=ACTION, estimate=tokens(100)) as spend:
                spend.record(42)

            @cycles(estimate=tokens(900), actual=len, client=client)
            async def answer() -> str:
                return "x" * 58

            await answer()
            assert isinstance(
                await async_client.decide(action=ACTION, estimate=tokens(901)), Denied
            )
            [balance] = (await async_client.balances()).balances
            assert balance.spent == tokens(100)
        await client.aclose()


def test_a_server_that_observes_says_so_and_blocks_nothing() -> None:
    with served() as server:
        tenant = server.tenant(allocated=1_000)
        server.put(Tenant(tenant_id=tenant, observe_mode=ObserveMode.OBSERVE))
        config = CyclesConfig(
            base_url=server.base_url, api_key=server.key_of(tenant), tenant=tenant
        )
        with CyclesClient(config) as client:
            with client.guard(action=ACTION, estimate=tokens(1_001)) as spend:
                assert isinstance(spend.decision, Denied)
                spend.record(30)
            for _ in range(2):
                answer = client.reserve(action=ACTION, estimate=tokens(10), idempotency_key="once")
                assert answer.observed
            assert client.reserve(action=ACTION, estimate=tokens(10), dry_run=True).observed is None
            [balance] = client.balances().balances
            assert (balance.spent, balance.reserved) == (tokens(30), tokens(0))


@pytest.mark.parametrize("mode", [ObserveMode.OBSERVE, ObserveMode.ENFORCE])
def test_an_embedded_authority_that_observes_says_so(mode: ObserveMode) -> None:
    authority = EmbeddedAuthority(budget=tokens(1_000))
    op = Reserve(
        idempotency_key="k",
        subject=Subject(tenant=authority.tenant),
        action=ACTION,
        estimate=tokens(10),
        observe_mode=mode,
    )
    answer = authority.send(op)
    authority.close()
    assert isinstance(answer, Allowed)
    assert bool(answer.observed) == (answer.reservation_id is None) == (mode == "OBSERVE")
