"""Frameworks lose the ends of calls; the map of open ones must notice, and never leak."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from runcycles.errors import CyclesError
from runcycles.open_guards import OpenGuards


def test_a_call_is_taken_once() -> None:
    calls = OpenGuards[str]()
    calls.add("a", "spend")
    assert calls.take("a") == "spend"
    assert calls.take("a") is None
    assert len(calls) == 0


def test_a_call_that_starts_twice_is_an_error_and_keeps_the_first() -> None:
    calls = OpenGuards[str]()
    calls.add("a", "first")
    with pytest.raises(CyclesError, match="started twice"):
        calls.add("a", "second")
    assert calls.take("a") == "first"


def test_the_end_of_a_run_takes_what_its_calls_left_behind_and_nothing_else() -> None:
    calls = OpenGuards[int]()
    for number, run in enumerate(["red", "blue", "red"]):
        calls.add(number, number, run=run)
    assert calls.take_run("red") == [0, 2]
    assert calls.take_run("red") == []
    assert calls.take(1) == 1


def test_lost_ends_stop_new_calls_instead_of_filling_the_memory() -> None:
    calls = OpenGuards[int](limit=2)
    for number in range(2):
        calls.check_room()
        calls.add(number, number)
    with pytest.raises(CyclesError, match="2 calls are open"):
        calls.check_room()
    calls.take(0)
    calls.check_room()


def test_threads_that_take_the_same_calls_get_each_once() -> None:
    calls = OpenGuards[int]()
    for number in range(1_000):
        calls.add(number, number)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(calls.take, [*range(1_000)] * 3))
    assert sorted(spend for spend in taken if spend is not None) == [*range(1_000)]
