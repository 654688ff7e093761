import asyncio
import inspect
import threading
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest

from runcycles import (
    BudgetExceededError,
    SettlementRefusedError,
    SpendNotRecordedError,
    Unit,
    current_reservation,
    cycles,
    set_default_client,
    tokens,
    usd,
)
from runcycles.ops import Commit, Reserve
from tests.core.guard.lines import Line, ModelError
from tests.core.unreliable import Answered

# ── functions ────────────────────────────────────────────────────────────────────────────────────


def test_a_function_is_guarded_and_returns_what_it_returns(line: Line) -> None:
    line.authority.add_budget("tenant:acme", usd("1"))

    @cycles(estimate=1000, action_kind="llm.completion", action_name="gpt-4")
    def summarize(text: str) -> str:
        assert current_reservation() is not None
        return text.upper()

    assert summarize("hello") == "HELLO"
    assert current_reservation() is None
    reserve = line.unreliable.questions(Reserve)[0]
    assert reserve.estimate == usd("0.00001")
    assert (reserve.action.kind, reserve.action.name) == ("llm.completion", "gpt-4")


def test_a_function_keeps_its_name_and_its_signature() -> None:
    @cycles(estimate=1)
    def summarize(text: str, *, limit: int = 7) -> str:
        """Make it short."""
        return text[:limit]

    assert (summarize.__name__, summarize.__doc__) == ("summarize", "Make it short.")
    assert list(inspect.signature(summarize).parameters) == ["text", "limit"]


def test_what_a_function_returns_may_say_what_it_used(line: Line) -> None:
    @cycles(estimate=tokens(100), actual=len)
    def answer() -> str:
        return "x" * 42

    answer()
    assert line.spent == 42


def test_a_function_may_have_a_price(line: Line) -> None:
    @cycles(estimate=tokens(100), actual=7)
    def search() -> None:
        pass

    search()
    assert line.spent == 7


def test_a_function_may_record_what_it_used(line: Line) -> None:
    @cycles(estimate=100, unit=Unit.TOKENS)
    def answer() -> None:
        spend = current_reservation()
        assert spend is not None
        spend.record(12)

    answer()
    assert line.spent == 12


def test_a_result_that_cannot_be_read_costs_the_estimate_and_keeps_the_result(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    @cycles(estimate=tokens(100), actual=lambda answer: answer["usage"])
    def answer() -> dict[str, int]:
        return {}

    assert answer() == {}
    [commit] = line.unreliable.questions(Commit)
    assert (commit.actual, commit.metadata) == (tokens(100), {"actual_source": "estimate"})
    assert "could not be read" in caplog.text


def test_a_function_that_fails_gives_its_hold_back(line: Line) -> None:
    @cycles(estimate=tokens(100))
    def answer() -> None:
        raise ModelError

    with pytest.raises(ModelError):
        answer()
    assert line.asked() == ["Reserve", "Release"]


def test_a_function_that_is_denied_does_not_run(line: Line) -> None:
    @cycles(estimate=tokens(1_001))
    def answer() -> None:
        pytest.fail("it ran")

    with pytest.raises(BudgetExceededError):
        answer()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Answered(409, "RESERVATION_FINALIZED"), SettlementRefusedError),
        (Answered(401, "UNAUTHORIZED"), SpendNotRecordedError),
    ],
)
def test_a_settlement_that_fails_keeps_what_the_function_returned(
    fault: Answered, error: type[SettlementRefusedError] | type[SpendNotRecordedError]
) -> None:
    line = Line({Commit: [fault]})

    @cycles(estimate=tokens(100), client=line.client)
    def answer() -> str:
        return "the answer"

    with pytest.raises(error) as failed:
        answer()
    assert vars(failed.value)["result"] == "the answer"


def test_a_call_that_comes_too_late_for_its_commit_is_recorded(line: Line) -> None:
    @cycles(estimate=tokens(100))
    def answer() -> str:
        line.authority.clock.advance(120_000)
        return "late"

    assert answer() == "late"
    assert line.asked() == ["Reserve", "Commit", "Record"]


# ── kinds of functions ───────────────────────────────────────────────────────────────────────────


async def test_a_coroutine_function_is_guarded_by_either_kind_of_client(line: Line) -> None:
    @cycles(estimate=tokens(100), actual=len)
    async def answer() -> str:
        assert current_reservation() is not None
        return "x" * 42

    assert inspect.iscoroutinefunction(answer)
    await answer()
    set_default_client(line.async_client)
    await answer()
    assert line.spent == 84


def test_a_function_is_guarded_by_an_async_client_too(line: Line) -> None:
    set_default_client(line.async_client)

    @cycles(estimate=tokens(100), actual=len)
    def answer() -> str:
        return "x" * 42

    answer()
    assert line.spent == 42


def test_a_coroutine_that_is_cancelled_is_charged_its_estimate(line: Line) -> None:
    @cycles(estimate=tokens(100))
    async def answer() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer(), 0.01)

    asyncio.run(main())
    assert (line.spent, line.reserved) == (100, 0)


class Answering:
    """Methods and callable objects."""

    @cycles(estimate=tokens(10))
    def method(self) -> "Answering":
        return self

    @staticmethod
    @cycles(estimate=tokens(10))
    def static() -> str:
        return "static"

    @classmethod
    @cycles(estimate=tokens(10))
    def of_class(cls) -> str:
        return cls.__name__

    def __call__(self) -> str:
        return "called"


class AsyncAnswering:
    async def __call__(self) -> str:
        assert current_reservation() is not None
        return "called"


def test_methods_of_every_kind_are_guarded(line: Line) -> None:
    answering = Answering()
    assert answering.method() is answering
    assert Answering.static() == "static"
    assert Answering.of_class() == "Answering"
    assert line.spent == 30


def test_callable_objects_are_guarded_and_named_after_their_class(line: Line) -> None:
    assert cycles(estimate=tokens(10))(Answering())() == "called"
    assert line.unreliable.questions(Reserve)[0].action.name == "Answering"


async def test_objects_with_an_async_call_are_guarded_until_it_ends(line: Line) -> None:
    answer = cycles(estimate=tokens(10))(AsyncAnswering())
    assert inspect.iscoroutinefunction(answer)
    assert await answer() == "called"
    assert line.spent == 10


async def test_partials_are_what_they_stand_for(line: Line) -> None:
    async def answer(text: str) -> str:
        assert current_reservation() is not None
        return text

    guarded = cycles(estimate=tokens(10))(partial(answer, "hi"))
    assert await guarded() == "hi"
    assert line.unreliable.questions(Reserve)[0].action.name.endswith(".answer")


def test_a_function_that_hands_out_a_coroutine_would_run_unguarded(line: Line) -> None:
    async def real_answer() -> None:
        pytest.fail("it ran")

    @cycles(estimate=tokens(10))
    def answer() -> Coroutine[Any, Any, None]:
        return real_answer()

    with pytest.raises(TypeError, match="async def"):
        _ = answer()
    assert (line.spent, line.reserved) == (0, 0)


def test_nested_calls_each_have_their_own_reservation(line: Line) -> None:
    @cycles(estimate=tokens(10))
    def inner() -> str | None:
        spend = current_reservation()
        return spend.reservation_id if spend else None

    @cycles(estimate=tokens(20))
    def outer() -> None:
        spend = current_reservation()
        assert spend is not None
        assert inner() != spend.reservation_id
        assert current_reservation() is spend

    outer()
    assert line.spent == 30


def test_threads_do_not_see_each_others_reservation(line: Line) -> None:
    seen: list[Any] = []

    @cycles(estimate=tokens(10))
    def outer() -> None:
        thread = threading.Thread(target=lambda: seen.append(current_reservation()))
        thread.start()
        thread.join(5)

    outer()
    assert seen == [None]
