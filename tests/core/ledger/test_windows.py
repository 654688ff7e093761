from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcycles.ledger.windows import bucket_of, kept_ms, minute_of, next_begins_ms
from runcycles.types import QuotaWindow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OF_THE_CLOCK = [window for window in QuotaWindow if window is not QuotaWindow.PER_RUN]
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - the bounds of Hypothesis have no zone


def ms_of(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


@given(MOMENTS)
def test_a_moment_is_written_as_the_calendar_has_it(moment: datetime) -> None:
    assert minute_of(ms_of(moment)) == moment.strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize("date", ["2000-02-29", "2024-02-29", "2100-03-01", "1970-01-01"])
def test_leap_days_are_where_the_calendar_has_them(date: str) -> None:
    midnight = ms_of(datetime.fromisoformat(f"{date}T00:00:00+00:00"))
    assert minute_of(midnight) == f"{date}T00:00"
    assert minute_of(midnight + 86_399_999) == f"{date}T23:59"


@pytest.mark.parametrize(
    ("window", "bucket"),
    [
        (QuotaWindow.PER_MINUTE, "2026-04-09T14:32"),
        (QuotaWindow.PER_HOUR, "2026-04-09T14"),
        (QuotaWindow.PER_DAY, "2026-04-09"),
        (QuotaWindow.PER_TENANT_PER_DAY, "2026-04-09"),
    ],
)
def test_a_window_is_named_by_its_minute_hour_or_day(window: QuotaWindow, bucket: str) -> None:
    assert bucket_of(window, ms_of(datetime(2026, 4, 9, 14, 32, 59, tzinfo=UTC))) == bucket


@given(MOMENTS, st.sampled_from(OF_THE_CLOCK))
def test_the_next_window_begins_where_this_one_ends(moment: datetime, window: QuotaWindow) -> None:
    now_ms = ms_of(moment)
    following = next_begins_ms(window, now_ms)
    assert bucket_of(window, following - 1) == bucket_of(window, now_ms)
    assert bucket_of(window, following) != bucket_of(window, now_ms)


@given(MOMENTS, st.sampled_from(OF_THE_CLOCK))
def test_a_counter_is_kept_beyond_the_end_of_its_window(
    moment: datetime, window: QuotaWindow
) -> None:
    now_ms = ms_of(moment)
    assert now_ms + kept_ms(window) > next_begins_ms(window, now_ms)
