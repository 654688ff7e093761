import threading
from typing import Any

import pytest

from runcycles import (
    Usage,
    tokens,
    usd,
)
from runcycles.ops import Commit
from tests.core.guard.lines import ACTION, CALL, Line, ModelError, fail_after


def test_tokens_count_themselves_where_tokens_are_budgeted() -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        spend.record(Usage(tokens_input=10, tokens_output=5, model_version="gpt-4o-1"))
        spend.record(Usage(tokens_input=1, tokens_output=2, latency_ms=9, custom={"a": 1}))
    [commit] = line.unreliable.questions(Commit)
    assert commit.actual == tokens(18)
    assert commit.metrics == Usage(
        tokens_input=11,
        tokens_output=7,
        latency_ms=9,
        model_version="gpt-4o-1",
        custom={"a": 1},
    )


def test_an_amount_next_to_a_usage_is_its_price() -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        spend.record(Usage(tokens_input=10, tokens_output=5), 3)
    [commit] = line.unreliable.questions(Commit)
    assert commit.actual == tokens(3)
    assert commit.metrics is not None
    assert commit.metrics.tokens_input == 10


def test_a_usage_is_priced_by_the_guards_price() -> None:
    line = Line()
    with line.client.guard(**CALL, actual=lambda used: 2 * (used.tokens_output or 0)) as spend:
        spend.record(Usage(tokens_output=4))
        spend.record(Usage(tokens_output=6))
    assert line.spent == 20


def test_the_time_a_call_took_is_sent_with_its_commit() -> None:
    line = Line()
    with line.client.guard(**CALL):
        pass
    [commit] = line.unreliable.questions(Commit)
    assert commit.metrics is not None
    assert commit.metrics.latency_ms is not None


def test_a_price_that_fails_costs_the_estimate_and_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(used: Usage) -> int:
        raise LookupError("no such model")

    line = Line()
    with line.client.guard(**CALL, actual=fails) as spend:
        spend.record(Usage(tokens_output=4))
    [commit] = line.unreliable.questions(Commit)
    assert (commit.actual, commit.metadata) == (tokens(100), {"actual_source": "estimate"})
    assert "could not be priced" in caplog.text


def test_a_usage_without_a_price_costs_the_estimate_even_where_the_call_fails() -> None:
    line = Line()
    line.authority.add_budget("tenant:acme", usd("1"))
    with (
        pytest.raises(ModelError),
        line.client.guard(action=ACTION, estimate=usd("0.01")) as spend,
    ):
        fail_after(spend, Usage(tokens_output=4))
    [commit] = line.unreliable.questions(Commit)
    assert commit.actual == usd("0.01")


def test_a_usage_that_counts_nothing_measures_nothing() -> None:
    line = Line()
    with pytest.raises(ModelError), line.client.guard(**CALL) as spend:
        fail_after(spend, Usage(latency_ms=5))
    assert line.asked() == ["Reserve", "Release"]


def test_a_price_may_leave_a_usage_out() -> None:
    line = Line()
    with line.client.guard(**CALL, actual=lambda _: None) as spend:
        spend.record(Usage(tokens_output=4))
    assert line.spent == 100


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1, ValueError),
        (2**63, ValueError),
        (usd("1"), ValueError),
        (Usage(tokens_input=-1), ValueError),
        (Usage(tokens_input=True), TypeError),
        (True, TypeError),
        (1.5, TypeError),
        ("7", TypeError),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_costs_the_estimate(
    value: Any, error: type[Exception]
) -> None:
    line = Line()
    with pytest.raises(error), line.client.guard(**CALL) as spend:
        spend.record(value)
    assert (line.spent, line.reserved) == (100, 0)


def test_the_whole_use_may_be_read_at_the_end() -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        spend.record(5)
        spend.measure(lambda: 60)
    assert line.spent == 60


def test_a_use_that_cannot_be_read_costs_the_estimate_and_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        spend.measure(lambda: 1 // 0)
    assert line.spent == 100
    assert "could not be read" in caplog.text


def test_a_use_that_says_nothing_leaves_what_was_recorded() -> None:
    line = Line()
    with line.client.guard(**CALL) as spend:
        spend.record(5)
        spend.measure(lambda: None)
    assert line.spent == 5


def test_many_threads_may_record() -> None:
    line = Line()

    def work() -> None:
        for _ in range(100):
            spend.record(1)

    with line.client.guard(**CALL) as spend:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    assert line.spent == 800


def test_recording_after_the_end_would_be_lost_and_is_an_error() -> None:
    with Line().client.guard(**CALL) as spend:
        pass
    with pytest.raises(RuntimeError, match="settled"):
        spend.record(1)


def test_a_usage_beyond_the_protocols_limits_is_cut_to_them() -> None:
    line = Line()
    line.authority.add_budget("tenant:acme", usd("1"))
    huge = Usage(tokens_input=2**40, latency_ms=2**40, model_version="v" * 200)
    with line.client.guard(action=ACTION, estimate=usd("0.01")) as spend:
        spend.record(huge, 5)
        spend.record(huge, 5)
    [commit] = line.unreliable.questions(Commit)
    assert commit.actual.amount == 10
    assert commit.metrics == Usage(
        tokens_input=2**31 - 1, latency_ms=2**31 - 1, model_version="v" * 128
    )


def test_a_model_version_is_text_whatever_it_was() -> None:
    line = Line()
    odd: Any = 4.1
    with line.client.guard(**CALL) as spend:
        spend.record(Usage(tokens_output=1, model_version=odd))
    [commit] = line.unreliable.questions(Commit)
    assert commit.metrics is not None
    assert commit.metrics.model_version == "4.1"
