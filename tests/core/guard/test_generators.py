import inspect
from collections.abc import AsyncGenerator, Generator
from typing import Any

import anyio
import pytest

from runcycles import (
    BudgetExceededError,
    ConfigurationError,
    SettlementRefusedError,
    current_reservation,
    cycles,
    tokens,
)
from runcycles.ops import Commit
from tests.core.guard.lines import Line, ModelError
from tests.core.unreliable import Answered


def use(amount: int) -> None:
    spend = current_reservation()
    assert spend is not None
    spend.record(amount)


@cycles(estimate=tokens(100))
def stream(count: int) -> Generator[str, str | None, int]:
    """Uses ten for each part, and answers what is sent or thrown."""
    received = 0
    for number in range(count):
        use(10)
        try:
            sent = yield f"part {number}"
        except LookupError as thrown:
            sent = str(thrown)
        received += sent is not None
    return received


@cycles(estimate=tokens(100))
async def async_stream(count: int) -> AsyncGenerator[str, str | None]:
    """The same; what was received comes last."""
    received = []
    for number in range(count):
        use(10)
        try:
            received.append((yield f"part {number}"))
        except LookupError as thrown:
            received.append(str(thrown))
    yield " ".join(filter(None, received))


# ── generators ───────────────────────────────────────────────────────────────────────────────


def test_a_generator_reserves_at_its_first_step_and_settles_at_its_last(line: Line) -> None:
    parts = stream(3)
    assert line.asked() == []
    assert next(parts) == "part 0"
    assert (line.reserved, line.asked()) == (100, ["Reserve"])
    assert list(parts) == ["part 1", "part 2"]
    assert (line.reserved, line.spent) == (0, 30)


def test_a_guarded_generator_is_still_a_generator_function() -> None:
    assert inspect.isgeneratorfunction(stream)
    assert inspect.isasyncgenfunction(async_stream)


def test_the_reservation_is_current_only_while_the_generator_runs(line: Line) -> None:
    for _ in stream(2):
        assert current_reservation() is None


def test_two_generators_may_take_turns(line: Line) -> None:
    for _ in zip(stream(3), stream(3), strict=True):
        pass
    assert [commit.actual for commit in line.unreliable.questions(Commit)] == [tokens(30)] * 2


def test_what_is_sent_and_thrown_arrives_and_what_is_returned_comes_back(line: Line) -> None:
    parts = stream(3)
    next(parts)
    parts.send("hello")
    parts.throw(LookupError("gone"))
    with pytest.raises(StopIteration) as finished:
        next(parts)
    assert finished.value.value == 2


def test_a_generator_that_is_left_early_is_charged_what_it_recorded(line: Line) -> None:
    parts = stream(3)
    next(parts)
    parts.close()
    assert (line.spent, line.reserved) == (10, 0)


def test_a_generator_that_is_left_early_and_recorded_nothing_is_charged_its_estimate(
    line: Line,
) -> None:
    @cycles(estimate=tokens(100))
    def silent() -> Generator[int, None, None]:
        yield 1
        yield 2

    for _ in silent():
        break
    assert (line.spent, line.reserved) == (100, 0)


def test_what_a_generator_records_while_it_is_closed_counts(line: Line) -> None:
    @cycles(estimate=tokens(100))
    def tidy() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            use(7)

    parts = tidy()
    next(parts)
    parts.close()
    assert line.spent == 7


def test_a_generator_that_fails_gives_back_or_is_charged_what_it_used(line: Line) -> None:
    @cycles(estimate=tokens(100))
    def failing(used: int) -> Generator[int, None, None]:
        yield 1
        if used:
            use(used)
        raise ModelError

    for used in (0, 5):
        with pytest.raises(ModelError):
            list(failing(used))
    assert line.asked() == ["Reserve", "Release", "Reserve", "Commit"]
    assert line.spent == 5


def test_a_generator_that_is_denied_does_not_run(line: Line) -> None:
    ran = []

    @cycles(estimate=tokens(1_001))
    def parts() -> Generator[int, None, None]:
        ran.append("it ran")
        yield 1

    with pytest.raises(BudgetExceededError):
        next(parts())
    assert ran == []


def test_a_generator_called_wrongly_reserves_nothing(line: Line) -> None:
    with pytest.raises(TypeError):
        next(stream())  # type: ignore[call-arg]  # this is the mistake
    assert line.asked() == []


def test_what_a_generator_returns_may_say_what_it_used() -> None:
    line = Line()

    @cycles(estimate=tokens(100), actual=lambda used: used, client=line.client)
    def counting() -> Generator[int, None, int]:
        yield 1
        return 42

    assert list(counting()) == [1]
    assert line.spent == 42


def test_a_settlement_that_fails_keeps_what_the_generator_returned() -> None:
    line = Line({Commit: [Answered(409, "RESERVATION_FINALIZED")]})

    @cycles(estimate=tokens(100), client=line.client)
    def counting() -> Generator[int, None, str]:
        yield 1
        return "the answer"

    with pytest.raises(SettlementRefusedError) as refused:
        list(counting())
    assert refused.value.result == "the answer"


def test_objects_whose_call_is_a_generator_are_generators(line: Line) -> None:
    class Parts:
        def __call__(self) -> Generator[int, None, None]:
            use(3)
            yield 1

    parts: Any = cycles(estimate=tokens(100))(Parts())
    assert list(parts()) == [1]
    assert line.spent == 3


# ── async generators ─────────────────────────────────────────────────────────────────────────


async def test_an_async_generator_is_guarded_from_its_first_step_to_its_last(line: Line) -> None:
    parts = async_stream(2)
    assert line.asked() == []
    seen = []
    async for part in parts:
        assert line.reserved == 100
        assert current_reservation() is None
        seen.append(part)
    assert seen == ["part 0", "part 1", ""]
    assert (line.reserved, line.spent) == (0, 20)


async def test_what_is_sent_and_thrown_arrives_in_an_async_generator(line: Line) -> None:
    parts = async_stream(2)
    await anext(parts)
    await parts.asend("hello")
    assert await parts.athrow(LookupError("gone")) == "hello gone"
    with pytest.raises(StopAsyncIteration):
        await anext(parts)


async def test_an_async_generator_that_is_left_early_is_charged_what_it_recorded(
    line: Line,
) -> None:
    parts = async_stream(3)
    await anext(parts)
    await parts.aclose()
    assert (line.spent, line.reserved) == (10, 0)


async def test_an_async_generator_that_fails_is_charged_what_it_used(line: Line) -> None:
    @cycles(estimate=tokens(100))
    async def failing() -> AsyncGenerator[int, None]:
        yield 1
        use(5)
        raise ModelError

    with pytest.raises(ModelError):
        async for _ in failing():
            pass
    assert (line.spent, line.reserved) == (5, 0)


async def test_an_async_generator_that_is_cancelled_is_charged_what_it_recorded(
    line: Line,
) -> None:
    @cycles(estimate=tokens(100))
    async def hanging() -> AsyncGenerator[int, None]:
        use(5)
        yield 1
        await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        async for _ in hanging():
            scope.cancel()
    assert (line.spent, line.reserved) == (5, 0)


async def test_an_async_generator_that_is_denied_does_not_run(line: Line) -> None:
    ran = []

    @cycles(estimate=tokens(1_001))
    async def parts() -> AsyncGenerator[int, None]:
        ran.append("it ran")
        yield 1

    with pytest.raises(BudgetExceededError):
        await anext(parts())
    assert ran == []


def test_an_async_generator_returns_nothing_that_could_be_read() -> None:
    async def parts() -> AsyncGenerator[int, None]:
        yield 1

    with pytest.raises(ConfigurationError, match="record"):
        cycles(estimate=1, actual=len)(parts)
