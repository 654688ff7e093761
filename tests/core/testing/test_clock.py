import pytest

from runcycles.testing import FakeClock


def test_time_stands_still_until_it_is_moved() -> None:
    clock = FakeClock(now_ms=1_000)
    assert (clock.now_ms(), clock.now_ms(), clock.monotonic()) == (1_000, 1_000, 0.0)
    clock.advance(1_500)
    assert (clock.now_ms(), clock.monotonic()) == (2_500, 1.5)
    clock.advance(0)
    assert clock.now_ms() == 2_500


def test_two_clocks_start_at_the_same_moment() -> None:
    assert FakeClock().now_ms() == FakeClock().now_ms()


def test_time_does_not_go_back() -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="cannot go back by 5 ms"):
        clock.advance(-5)
