import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from runcycles.errors import Problem
from runcycles.heartbeat import Heartbeat, Lease
from runcycles.ops import Extend, Extended, Op
from runcycles.wire import error_for


def refusal(status: int, code: str) -> Exception:
    op = Extend(idempotency_key="k", reservation_id="r1", extend_by_ms=1)
    return error_for(op, Problem(status=status, error_code=code, message="so"))


class Recorder:
    """A transport that extends everything, and tells when it has."""

    def __init__(self, answer: Extended | Exception | None = None) -> None:
        self.answer = answer or Extended(expires_at_ms=1, remaining_ttl_ms=3_600_000)
        self.extended: list[str] = []
        self.beats = threading.Semaphore(0)
        self.hold_up: dict[str, threading.Event] = {}

    def send(self, op: Op[Any]) -> Any:
        assert isinstance(op, Extend)
        if gate := self.hold_up.get(op.reservation_id):
            assert gate.wait(5)
        self.extended.append(op.reservation_id)
        self.beats.release()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        """Nothing is open."""


def real(name: str, due: float) -> Lease:
    """A lease on the real clock, whose first beat is due then."""
    now = time.monotonic()
    held = Lease(
        name,
        ttl_ms=3_600_000,
        remaining_ttl_ms=3_600_000,
        sent=now,
        received=now,
        request_timeout=1.0,
        key="ab" * 16,
    )
    held.due = due
    return held


def due_now(name: str = "r1") -> Lease:
    """The next beat after the first one is an hour away."""
    return real(name, 0.0)


def far_away() -> Lease:
    return real("r1", 1e300)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def heartbeat_threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name == "runcycles-heartbeat"}


class Beating(Heartbeat):
    """A scheduler that knows its own threads from those of other clients."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(lambda: recorder)
        self._others = heartbeat_threads()

    @property
    def threads(self) -> set[threading.Thread]:
        return heartbeat_threads() - self._others

    def end(self) -> None:
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
def heartbeat(recorder: Recorder) -> Iterator[Beating]:
    beating = Beating(recorder)
    yield beating
    beating.close()
    beating.end()


def test_no_thread_runs_before_there_is_a_lease(heartbeat: Beating) -> None:
    assert not heartbeat.threads


def test_a_lease_is_extended_when_it_is_due(heartbeat: Beating, recorder: Recorder) -> None:
    heartbeat.watch(due_now())
    assert recorder.beats.acquire(timeout=5)
    assert recorder.extended == ["r1"]


def test_a_thousand_leases_share_two_threads(heartbeat: Beating, recorder: Recorder) -> None:
    leases = [due_now(f"r{number}") for number in range(1_000)]
    for each in leases:
        heartbeat.watch(each)
    for _ in leases:
        assert recorder.beats.acquire(timeout=5)
    assert len(heartbeat.threads) <= 2
    assert sorted(recorder.extended) == sorted(each.reservation_id for each in leases)
    for each in leases:
        heartbeat.forget(each)


def test_a_slow_answer_keeps_no_other_lease_waiting(heartbeat: Beating, recorder: Recorder) -> None:
    recorder.hold_up["slow"] = gate = threading.Event()
    heartbeat.watch(due_now("slow"))
    heartbeat.watch(far_away())
    heartbeat.watch(due_now("other"))
    assert recorder.beats.acquire(timeout=5)
    assert recorder.extended == ["other"]
    gate.set()
    assert recorder.beats.acquire(timeout=5)


def test_a_lease_that_is_due_sooner_wakes_the_thread(
    heartbeat: Beating, recorder: Recorder
) -> None:
    heartbeat.watch(far_away())
    heartbeat.watch(due_now())
    assert recorder.beats.acquire(timeout=5)


def test_a_lease_that_is_refused_is_left_alone(
    heartbeat: Beating, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.answer = refusal(409, "MAX_EXTENSIONS_EXCEEDED")
    with caplog.at_level(logging.WARNING):
        heartbeat.watch(due_now("first"))
        heartbeat.watch(due_now("second"))
        assert recorder.beats.acquire(timeout=5)
        assert recorder.beats.acquire(timeout=5)
    assert sorted(recorder.extended) == ["first", "second"]


def test_a_transport_that_breaks_does_not_stop_the_other_leases(
    heartbeat: Beating, recorder: Recorder
) -> None:
    recorder.answer = RuntimeError("a bug")
    heartbeat.watch(due_now("first"))
    assert recorder.beats.acquire(timeout=5)
    heartbeat.watch(due_now("second"))
    assert recorder.beats.acquire(timeout=5)


def test_a_closed_heartbeat_takes_nothing_more(heartbeat: Beating) -> None:
    heartbeat.watch(far_away())
    heartbeat.close()
    heartbeat.watch(due_now())
    heartbeat.end()
    assert not heartbeat.threads


def test_a_thread_without_leases_ends_after_a_while(
    heartbeat: Beating, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runcycles.heartbeat.LINGER_S", 0.01)
    recorder.answer = refusal(409, "MAX_EXTENSIONS_EXCEEDED")
    heartbeat.watch(due_now())
    assert recorder.beats.acquire(timeout=5)
    heartbeat.end()
    heartbeat.watch(due_now("another one"))
    assert recorder.beats.acquire(timeout=5)


def test_calls_that_are_over_at_once_start_one_thread_and_wake_it_no_more(
    heartbeat: Beating,
) -> None:
    started: set[threading.Thread] = set()
    for _ in range(200):
        held = far_away()
        heartbeat.watch(held)
        started |= heartbeat.threads
        heartbeat.forget(held)
    assert len(started) == 1
