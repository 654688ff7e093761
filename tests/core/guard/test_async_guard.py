import asyncio
from collections.abc import Callable

import anyio
import pytest

from runcycles import (
    BudgetExceededError,
    SettlementRefusedError,
    SpendNotRecordedError,
    current_reservation,
    tokens,
)
from runcycles.errors import StoreError
from runcycles.ops import Commit, Release, Reserve
from tests.core.guard.lines import ACTION, CALL, Line, ModelError
from tests.core.guard.slow_line import SlowLine
from tests.core.unreliable import LOST_ANSWER, LOST_QUESTION, Answered


async def test_what_a_call_records_is_charged_and_the_rest_given_back() -> None:
    line = Line()
    async with line.async_client.guard(**CALL) as spend:
        assert line.reserved == 100
        spend.record(30)
    assert (line.spent, line.reserved) == (30, 0)


async def test_a_call_that_fails_gives_its_hold_back() -> None:
    line = Line()
    with pytest.raises(ModelError):
        async with line.async_client.guard(**CALL):
            raise ModelError
    assert (line.spent, line.reserved) == (0, 0)


async def test_a_denied_call_does_not_run() -> None:
    line = Line()
    with pytest.raises(BudgetExceededError):
        async with line.async_client.guard(action=ACTION, estimate=tokens(1_001)):
            pytest.fail("the call ran")


async def test_a_lost_answer_to_a_commit_charges_once() -> None:
    line = Line({Commit: [LOST_ANSWER]})
    async with line.async_client.guard(**CALL) as spend:
        spend.record(40)
    assert line.spent == 40
    first, second = line.unreliable.questions(Commit)
    assert first == second


async def test_a_refused_commit_keeps_the_result() -> None:
    line = Line({Commit: [Answered(409, "RESERVATION_FINALIZED")]})
    with pytest.raises(SettlementRefusedError) as refused:
        async with line.async_client.guard(**CALL) as spend:
            spend.result = "the answer"
    assert refused.value.result == "the answer"


async def test_a_release_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    line = Line({Release: [LOST_QUESTION, LOST_QUESTION]})
    with pytest.raises(ModelError):
        async with line.async_client.guard(**CALL):
            raise ModelError
    assert "was not released" in caplog.text


async def test_settling_happens_once_whoever_does_it_twice() -> None:
    line = Line()
    async with line.async_client.guard(**CALL) as spend, anyio.create_task_group() as group:
        group.start_soon(spend.settle)
        group.start_soon(spend.settle)
    assert line.asked() == ["Reserve", "Commit"]


async def test_each_task_has_its_own_current_reservation() -> None:
    line = Line()

    async def call() -> None:
        async with line.async_client.guard(**CALL) as spend:
            await anyio.lowlevel.checkpoint()
            assert current_reservation() is spend

    async with line.async_client.guard(**CALL) as outer:
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            group.start_soon(call)
        assert current_reservation() is outer
    assert current_reservation() is None


# ── cancellation ─────────────────────────────────────────────────────────────────────────────


async def test_a_cancelled_call_is_charged_its_estimate() -> None:
    line = SlowLine()
    with anyio.move_on_after(0) as scope:
        async with line.client.guard(**CALL):
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert line.spent == 0, "it was cancelled before it could reserve"
    with anyio.CancelScope() as scope:
        async with line.client.guard(**CALL):
            scope.cancel()
            await anyio.sleep_forever()
    assert (line.spent, line.reserved) == (100, 0)


async def test_a_cancelled_call_is_charged_what_it_recorded() -> None:
    line = SlowLine()
    with anyio.CancelScope() as scope:
        async with line.client.guard(**CALL) as spend:
            spend.record(8)
            scope.cancel()
            await anyio.sleep_forever()
    assert (line.spent, line.reserved) == (8, 0)


async def test_a_call_that_is_cancelled_while_it_settles_is_settled() -> None:
    with anyio.CancelScope() as scope:

        async def cancel() -> None:
            scope.cancel()
            await anyio.lowlevel.checkpoint()

        line = SlowLine({Commit: cancel})
        async with line.client.guard(**CALL) as spend:
            spend.record(8)
    assert line.asked == ["Reserve", "Commit"]
    assert line.spent == 8


async def test_a_reserve_that_is_cancelled_gives_back_what_it_holds() -> None:
    with anyio.CancelScope() as scope:

        async def cancel() -> None:
            scope.cancel()
            await anyio.sleep_forever()

        line = SlowLine({Reserve: cancel})
        async with line.client.guard(**CALL):
            pytest.fail("the call ran")
    assert line.asked == ["Reserve", "Reserve", "Release"]
    assert line.reserved == 0


def test_a_coroutine_that_nobody_runs_any_more_asks_nothing_more() -> None:
    line = SlowLine({Reserve: anyio.sleep_forever})

    async def call() -> None:
        opening = line.client.guard(**CALL).open()
        opening.send(None)
        opening.close()

    asyncio.run(call())
    assert line.asked == ["Reserve"]


async def test_settling_that_takes_too_long_is_given_up() -> None:
    line = SlowLine({Commit: anyio.sleep_forever}, settle_timeout=0.01)
    with pytest.raises(SpendNotRecordedError, match="took longer"):
        async with line.client.guard(**CALL):
            pass


async def test_settling_a_cancelled_call_that_takes_too_long_leaves_the_cancellation_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = SlowLine({Commit: anyio.sleep_forever}, settle_timeout=0.01)
    with anyio.CancelScope() as scope:
        async with line.client.guard(**CALL):
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert "has not confirmed" in caplog.text


async def test_giving_back_after_a_cancelled_reserve_may_take_too_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = SlowLine(settle_timeout=0.01)
    with anyio.CancelScope() as scope:

        async def cancel() -> None:
            line.during[Release] = anyio.sleep_forever
            scope.cancel()
            await anyio.sleep_forever()

        line.during[Reserve] = cancel
        await line.client.guard(**CALL).open()
    assert "until it expires" in caplog.text


# ── asyncio's own cancellation, which knows no shields ───────────────────────────────────────


def settling_while_cancelled(line: SlowLine, meanwhile: Callable[[], object] = bool) -> None:
    """Cancel the task of a call while its commit is under way."""

    async def call() -> None:
        task = asyncio.current_task()
        assert task is not None

        async def cancel() -> None:
            meanwhile()
            task.cancel()
            await asyncio.Event().wait()

        line.during[Commit] = cancel
        async with line.client.guard(**CALL) as spend:
            spend.record(8)

    async def main() -> None:
        task = asyncio.create_task(call())
        done, _ = await asyncio.wait([task], timeout=5)
        assert done
        assert task.cancelled()

    asyncio.run(main())


def test_a_task_that_is_cancelled_while_it_settles_asks_again_and_stays_cancelled() -> None:
    line = SlowLine()
    settling_while_cancelled(line)
    assert line.asked == ["Reserve", "Commit", "Commit"]
    assert (line.spent, line.reserved) == (8, 0)


def test_a_task_that_is_cancelled_while_its_settlement_fails_stays_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = SlowLine()

    def refuse() -> None:
        line.refuse[Commit] = StoreError("disk full")

    settling_while_cancelled(line, refuse)
    assert "disk full" in caplog.text


def test_a_timeout_around_a_call_settles_it_and_stays_a_timeout() -> None:
    line = SlowLine()

    async def call() -> None:
        async with asyncio.timeout(0.01), line.client.guard(**CALL):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(call())
    assert (line.spent, line.reserved) == (100, 0)
