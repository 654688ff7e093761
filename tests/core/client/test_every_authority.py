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
    Subject,
    Usage,
    cycles,
    tokens,
)
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
