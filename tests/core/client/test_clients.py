"""What both clients do, asked of both: the async one runs on asyncio and on trio."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from runcycles import (
    Action,
    Allowed,
    AsyncCyclesClient,
    ConfigurationError,
    CyclesClient,
    CyclesConfig,
    CyclesTransportError,
    Denied,
    ErrorCode,
    InvalidRequestError,
    ReservationExpiredError,
    ReservationFinalizedError,
    ReservationNotFoundError,
    ReservationStatus,
    SettlementRefusedError,
    Unit,
    UnitMismatchError,
    Usage,
    tokens,
    usd,
)
from runcycles.ops import Commit, Extend, Record, Release, Reserve
from runcycles.testing import InMemoryAuthority
from tests.core.unreliable import LOST_ANSWER, LOST_QUESTION, Answered, Unreliable

ACTION = Action(kind="llm.completion", name="gpt-4o")
CALL: Any = {"action": ACTION, "estimate": tokens(100)}


class Both:
    """One way to ask either client."""

    def __init__(self, client: CyclesClient | AsyncCyclesClient, line: Unreliable) -> None:
        self.client = client
        self.line = line
        self.authority = line.authority

    async def __call__(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        answer = getattr(self.client, verb)(*args, **kwargs)
        return await answer if isinstance(answer, Awaitable) else answer

    async def every(self, verb: str, **kwargs: Any) -> list[Any]:
        items = getattr(self.client, verb)(**kwargs)
        if isinstance(items, AsyncIterator):
            return [item async for item in items]
        return list(items)

    async def reserved(self) -> str:
        decision = await self("reserve", **CALL)
        assert isinstance(decision, Allowed)
        assert decision.reservation_id is not None
        return decision.reservation_id


Make = Callable[..., Both]


@pytest.fixture(params=[CyclesClient, AsyncCyclesClient])
def make(request: pytest.FixtureRequest) -> Make:
    def made(faults: Any = None, **settings: Any) -> Both:
        authority = InMemoryAuthority(budgets={"tenant:acme": tokens(1_000)})
        line = Unreliable(authority, faults or {})
        config = CyclesConfig(base_url="embedded:", retry_initial_delay=0, **settings)
        return Both(request.param(config, authority=line), line)

    return made


@pytest.fixture
def ask(make: Make) -> Both:
    return make()


# ── questions ────────────────────────────────────────────────────────────────────────────────


async def test_a_reservation_is_an_answer(ask: Both) -> None:
    decision = await ask("reserve", **CALL, ttl_ms=30_000, metadata={"ticket": 7})
    assert isinstance(decision, Allowed)
    assert (decision.reserved, decision.remaining_ttl_ms) == (tokens(100), 30_000)
    assert ask.authority.reservations()[0].metadata == {"ticket": 7}


async def test_a_denial_is_an_answer_too(ask: Both) -> None:
    denied = await ask("reserve", action=ACTION, estimate=tokens(1_001))
    assert isinstance(denied, Denied)
    assert (denied.reason_code, denied.status) == ("BUDGET_EXCEEDED", 409)
    assert denied.requested == tokens(1_001)
    assert denied.affected_scopes == ("tenant:acme",)
    assert denied.scope_path == "tenant:acme"
    assert "tenant:acme" in denied.message
    assert denied.request_id
    assert denied.detail
    assert denied.detail.budget_remaining == 1_000


async def test_a_denial_is_an_answer_whatever_status_it_came_with(ask: Both) -> None:
    ask.authority.set_tenant(status="SUSPENDED")
    suspended = await ask("reserve", **CALL)
    assert (suspended.reason_code, suspended.status) == ("TENANT_SUSPENDED", 403)
    ask.authority.set_tenant(status="ACTIVE")
    ask.authority.remove_budget("tenant:acme")
    unfunded = await ask("reserve", **CALL)
    assert (unfunded.reason_code, unfunded.status) == ("BUDGET_NOT_FOUND", 404)


async def test_the_wrong_unit_is_a_mistake_and_no_denial(ask: Both) -> None:
    with pytest.raises(UnitMismatchError):
        await ask("reserve", action=ACTION, estimate=1, unit=Unit.RISK_POINTS)


async def test_a_dry_run_and_a_decide_hold_nothing(ask: Both) -> None:
    for decision in (await ask("reserve", **CALL, dry_run=True), await ask("decide", **CALL)):
        assert isinstance(decision, Allowed)
        assert decision.reservation_id is None
    assert ask.authority.reservations() == []


async def test_a_denied_decide_is_an_answer(ask: Both) -> None:
    denied = await ask("decide", action=ACTION, estimate=tokens(1_001))
    assert isinstance(denied, Denied)
    assert (denied.reason_code, denied.status) == ("BUDGET_EXCEEDED", 200)


async def test_a_reservation_is_committed(ask: Both) -> None:
    committed = await ask(
        "commit",
        await ask.reserved(),
        actual=tokens(40),
        metrics=Usage(tokens_output=40),
        metadata={"ok": True},
    )
    assert (committed.charged, committed.released) == (tokens(40), tokens(60))
    [reservation] = ask.authority.reservations()
    assert reservation.committed_metadata == {"ok": True}


async def test_a_reservation_is_released(ask: Both) -> None:
    released = await ask("release", await ask.reserved(), reason="changed my mind")
    assert released.released == tokens(100)
    assert ask.authority.reservations()[0].release_reason == "changed my mind"


async def test_a_reservation_is_extended(ask: Both) -> None:
    extended = await ask("extend", await ask.reserved(), 30_000)
    assert extended.remaining_ttl_ms == 90_000


async def test_spend_is_recorded_without_a_reservation(ask: Both) -> None:
    recorded = await ask("record", action=ACTION, actual=tokens(40), metrics=Usage(tokens_output=1))
    assert recorded.event_id
    assert ask.authority.account("tenant:acme").spent == 40


async def test_reading_a_reservation(ask: Both) -> None:
    reservation_id = await ask.reserved()
    found = await ask("reservation", reservation_id)
    assert (found.reservation_id, found.status) == (reservation_id, ReservationStatus.ACTIVE)


async def test_reading_one_page_of_reservations(ask: Both) -> None:
    await ask.reserved()
    page = await ask("reservations", status="ACTIVE", limit=10)
    assert len(page.reservations) == 1


async def test_reading_all_reservations_page_by_page(ask: Both) -> None:
    made = {await ask.reserved() for _ in range(5)}
    found = await ask.every("every_reservation", limit=2)
    assert {each.reservation_id for each in found} == made


async def test_reading_the_balances_of_the_tenant(ask: Both) -> None:
    page = await ask("balances")
    assert [balance.scope_path for balance in page.balances] == ["tenant:acme"]


async def test_reading_all_balances_page_by_page(ask: Both) -> None:
    for number in range(5):
        ask.authority.add_budget(f"tenant:acme/agent:a{number}", tokens(1))
    found = await ask.every("every_balance", tenant="acme", limit=2)
    assert len(found) == 6
    [one] = (await ask("balances", agent="a3")).balances
    assert one.scope == "agent:a3"


# ── keys ─────────────────────────────────────────────────────────────────────────────────────


async def test_each_question_has_a_key_of_its_own(ask: Both) -> None:
    await ask.reserved()
    await ask.reserved()
    first, second = ask.line.questions(Reserve)
    assert first.idempotency_key != second.idempotency_key


async def test_a_key_that_is_given_is_kept(ask: Both) -> None:
    first = await ask("reserve", **CALL, idempotency_key="mine")
    second = await ask("reserve", **CALL, idempotency_key="mine")
    assert first.reservation_id == second.reservation_id
    await ask("extend", first.reservation_id, 1_000, idempotency_key="e")
    await ask("release", first.reservation_id, idempotency_key="r")
    assert ask.line.questions(Extend)[0].idempotency_key == "e"
    assert ask.line.questions(Release)[0].idempotency_key == "r"


# ── trouble ──────────────────────────────────────────────────────────────────────────────────


async def test_a_question_without_an_answer_is_asked_once_more_and_then_given_up(
    make: Make,
) -> None:
    ask = make({Reserve: [LOST_QUESTION] * 2})
    with pytest.raises(CyclesTransportError) as lost:
        await ask("reserve", **CALL)
    assert lost.value.attempts == 2


async def test_a_lost_answer_to_a_release_is_asked_for_again(make: Make) -> None:
    ask = make({Release: [LOST_ANSWER]})
    assert (await ask("release", await ask.reserved())).released == tokens(100)


async def test_a_commit_is_asked_for_until_it_is_answered(make: Make) -> None:
    ask = make({Commit: [LOST_QUESTION, Answered(500, "INTERNAL_ERROR"), LOST_ANSWER]})
    await ask("commit", await ask.reserved(), actual=tokens(40))
    assert ask.authority.account("tenant:acme").spent == 40
    assert len({op.idempotency_key for op in ask.line.questions(Commit)}) == 1


async def test_a_commit_that_is_given_up_says_how_often_it_was_tried(make: Make) -> None:
    ask = make({Commit: [LOST_QUESTION] * 3}, retry_max_attempts=3)
    with pytest.raises(CyclesTransportError) as lost:
        await ask("commit", await ask.reserved(), actual=tokens(40))
    assert lost.value.attempts == 3


async def test_without_retries_everything_is_asked_once(make: Make) -> None:
    ask = make({Record: [LOST_QUESTION]}, retry_enabled=False)
    with pytest.raises(CyclesTransportError):
        await ask("record", action=ACTION, actual=tokens(40))
    assert len(ask.line.questions(Record)) == 1


async def test_refusals_have_their_own_classes(ask: Both) -> None:
    reservation_id = await ask.reserved()
    await ask("release", reservation_id)
    with pytest.raises(ReservationFinalizedError):
        await ask("commit", reservation_id, actual=tokens(1))
    with pytest.raises(ReservationNotFoundError):
        await ask("extend", "unknown", 1_000)
    with pytest.raises(SettlementRefusedError) as refused:
        await ask("record", action=ACTION, actual=tokens(2_000), overage_policy="REJECT")
    assert refused.value.error_code == ErrorCode.BUDGET_EXCEEDED
    with pytest.raises(InvalidRequestError):
        await ask("commit", reservation_id, actual=tokens(1), idempotency_key="x" * 257)


async def test_a_commit_that_comes_too_late_says_so(ask: Both) -> None:
    reservation_id = await ask.reserved()
    ask.authority.clock.advance(120_000)
    ask.authority.sweep()
    with pytest.raises(ReservationExpiredError):
        await ask("commit", reservation_id, actual=tokens(40))


@pytest.mark.parametrize("reservation_id", ["", ".", ".."])
async def test_what_is_no_id_is_not_asked_about(ask: Both, reservation_id: str) -> None:
    for verb, given in (
        ("commit", {"actual": tokens(1)}),
        ("release", {}),
        ("extend", {"by_ms": 1}),
        ("reservation", {}),
    ):
        with pytest.raises(ConfigurationError):
            await ask(verb, reservation_id, **given)
    assert ask.line.asked == []


@pytest.mark.parametrize("by_ms", [0, 86_400_001, 1.5])
async def test_an_extension_has_to_be_possible(ask: Both, by_ms: Any) -> None:
    with pytest.raises(ConfigurationError, match="extend_by_ms"):
        await ask("extend", "r1", by_ms)


# ── opening and closing ──────────────────────────────────────────────────────────────────────


def test_a_client_without_config_and_authority_says_what_it_needs() -> None:
    with pytest.raises(ConfigurationError):
        CyclesClient()


def test_an_authority_is_enough(make: Make) -> None:
    authority = InMemoryAuthority(budgets={"tenant:acme": usd("1")})
    with CyclesClient(authority=authority) as client:
        assert isinstance(client.reserve(action=ACTION, estimate=usd("0.5")), Allowed)
        assert client.config.is_embedded


async def test_an_async_client_is_closed_at_the_end_of_its_block() -> None:
    authority = InMemoryAuthority(budgets={"tenant:acme": usd("1")})
    async with AsyncCyclesClient(authority=authority) as client:
        assert isinstance(await client.reserve(action=ACTION, estimate=usd("0.5")), Allowed)
