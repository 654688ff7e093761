import logging
from typing import Any

import pytest

from runcycles import Caps, CyclesConfig, Mode, Usage, cycles, tokens
from runcycles.ops import Allowed, Denied, Record, Reserve
from tests.core.guard.lines import ACTION, CALL, Line, ModelError
from tests.core.unreliable import LOST_QUESTION, Answered

TOO_MUCH: Any = {"action": ACTION, "estimate": tokens(1_001)}


def shadow(faults: Any = None) -> Line:
    return Line(faults, mode=Mode.SHADOW)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_call_that_would_be_denied_runs_and_that_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = shadow()
    ran = []
    with line.client.guard(**TOO_MUCH) as spend:
        ran.append(spend.decision)
        spend.record(40)
    [decision] = ran
    assert isinstance(decision, Denied)
    [warning] = warnings(caplog)
    assert "would have been refused" in warning
    assert "tenant:acme has 1000 TOKENS left" in warning or "BUDGET_EXCEEDED" in warning


def test_a_call_that_would_be_allowed_runs_silently(caplog: pytest.LogCaptureFixture) -> None:
    line = shadow()
    with line.client.guard(**CALL) as spend:
        assert isinstance(spend.decision, Allowed)
        assert spend.reservation_id is None
    assert warnings(caplog) == []


def test_nothing_is_held_and_what_was_used_is_recorded() -> None:
    line = shadow()
    with line.client.guard(**CALL, metadata={"ticket": 7}) as spend:
        assert line.reserved == 0
        spend.record(Usage(tokens_output=40))
    assert line.spent == 40
    assert line.asked() == ["Reserve", "Record"]
    [reserve], [record] = line.unreliable.questions(Reserve), line.unreliable.questions(Record)
    assert reserve.dry_run
    assert record.metadata == {"ticket": 7, "mode": "shadow"}
    assert record.metrics is not None
    assert record.metrics.tokens_output == 40


def test_a_call_that_measures_nothing_is_recorded_with_its_estimate() -> None:
    line = shadow()
    with line.client.guard(**CALL):
        pass
    [record] = line.unreliable.questions(Record)
    assert record.metadata == {"actual_source": "estimate", "mode": "shadow"}
    assert line.spent == 100


def test_spending_adds_up_until_a_call_would_have_been_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line = shadow()
    for _ in range(12):
        with line.client.guard(**CALL):
            pass
    assert line.spent == 1_000, "what the budget cannot pay is capped"
    assert len(warnings(caplog)) == 2


def test_a_call_that_fails_records_nothing() -> None:
    line = shadow()
    with pytest.raises(ModelError), line.client.guard(**CALL):
        raise ModelError
    assert line.asked() == ["Reserve"]


def test_caps_do_not_apply() -> None:
    line = shadow()
    with line.client.guard(**CALL) as spend:
        spend.decision = Allowed(caps=Caps(max_tokens=1))
        assert spend.caps == Caps()


@pytest.mark.parametrize(
    "fault", [LOST_QUESTION, Answered(500, "INTERNAL_ERROR"), Answered(401, "UNAUTHORIZED")]
)
def test_an_authority_that_fails_stops_no_call(
    fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    line = shadow({Reserve: [fault] * 2, Record: [fault] * 2})
    with line.client.guard(**CALL) as spend:
        assert spend.decision is None
    could_not_decide, not_recorded = warnings(caplog)
    assert "could not be decided" in could_not_decide
    assert "used 100 TOKENS, which is not recorded" in not_recorded


async def test_async_calls_run_in_the_shadow_too() -> None:
    line = shadow()
    async with line.async_client.guard(**TOO_MUCH) as spend:
        spend.record(40)
    assert line.spent == 40


def test_decorated_functions_run_in_the_shadow_too() -> None:
    line = shadow()

    @cycles(estimate=tokens(1_001), actual=len, client=line.client)
    def answer() -> str:
        return "x" * 40

    assert len(answer()) == 40
    assert line.spent == 40


def test_the_verbs_of_a_client_answer_as_ever() -> None:
    assert isinstance(shadow().client.reserve(**TOO_MUCH), Denied)


def test_enforcing_is_what_happens_unless_somebody_says_otherwise() -> None:
    assert CyclesConfig(base_url="embedded:").mode is Mode.ENFORCE
