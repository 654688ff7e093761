import asyncio
import concurrent.futures

import pytest

from runcycles.settlement import (
    CommitThis,
    Ended,
    GiveBack,
    Measured,
    OnError,
    ended_by,
    settlement,
)

ESTIMATE = 100
RELEASE, COMMIT_ESTIMATE = OnError.RELEASE, OnError.COMMIT_ESTIMATE
RETURNED, RAISED, CUT_OFF = Ended.RETURNED, Ended.RAISED, Ended.CUT_OFF
NOTHING, FORTY, UNREADABLE = Measured(), Measured(40), Measured(unreadable=True)


@pytest.mark.parametrize(
    ("ended", "measured", "on_error", "expected"),
    [
        (RETURNED, FORTY, RELEASE, CommitThis(40, is_estimate=False)),
        (RETURNED, NOTHING, RELEASE, CommitThis(ESTIMATE, is_estimate=True)),
        (RETURNED, UNREADABLE, RELEASE, CommitThis(ESTIMATE, is_estimate=True)),
        (RETURNED, NOTHING, COMMIT_ESTIMATE, CommitThis(ESTIMATE, is_estimate=True)),
        (RAISED, FORTY, RELEASE, CommitThis(40, is_estimate=False)),
        (RAISED, FORTY, COMMIT_ESTIMATE, CommitThis(40, is_estimate=False)),
        (RAISED, NOTHING, RELEASE, GiveBack()),
        (RAISED, NOTHING, COMMIT_ESTIMATE, CommitThis(ESTIMATE, is_estimate=True)),
        (RAISED, UNREADABLE, RELEASE, CommitThis(ESTIMATE, is_estimate=True)),
        (CUT_OFF, FORTY, RELEASE, CommitThis(40, is_estimate=False)),
        (CUT_OFF, NOTHING, RELEASE, CommitThis(ESTIMATE, is_estimate=True)),
        (CUT_OFF, UNREADABLE, RELEASE, CommitThis(ESTIMATE, is_estimate=True)),
    ],
)
def test_every_row_of_the_table_is_kept(
    ended: Ended, measured: Measured, on_error: OnError, expected: CommitThis | GiveBack
) -> None:
    assert settlement(ended, measured, estimate=ESTIMATE, on_error=on_error) == expected


def test_an_unreadable_call_is_charged_what_is_known_where_that_is_more() -> None:
    known = Measured(140, unreadable=True)
    assert settlement(RETURNED, known, estimate=ESTIMATE, on_error=RELEASE) == CommitThis(
        140, is_estimate=True
    )


def test_nothing_used_is_a_measurement_too() -> None:
    assert settlement(RAISED, Measured(0), estimate=ESTIMATE, on_error=RELEASE) == CommitThis(
        0, is_estimate=False
    )


class APITimeoutError(Exception):
    """Named as two model libraries name theirs."""


class TimeoutException(Exception):  # noqa: N818 - a library calls its base class so
    """Named as the base of the next one is."""


class ReadTimedOut(TimeoutException):
    """A timeout that its base class tells."""


class ConnectTimeout(TimeoutException):
    """Nothing was sent."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, RETURNED),
        (ValueError("no"), RAISED),
        (ExceptionGroup("both", [ValueError("no")]), RAISED),
        (ConnectTimeout(), RAISED),
        (KeyboardInterrupt(), CUT_OFF),
        (SystemExit(), CUT_OFF),
        (GeneratorExit(), CUT_OFF),
        (asyncio.CancelledError(), CUT_OFF),
        (concurrent.futures.CancelledError(), CUT_OFF),
        (BaseExceptionGroup("all", [asyncio.CancelledError()]), CUT_OFF),
        (TimeoutError(), CUT_OFF),
        (APITimeoutError(), CUT_OFF),
        (ReadTimedOut(), CUT_OFF),
    ],
)
def test_how_a_call_ended_is_read_from_what_left_it(
    error: BaseException | None, expected: Ended
) -> None:
    assert ended_by(error) is expected
