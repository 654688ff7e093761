"""Keeps reservations alive while their calls run: one scheduler per client, at most two threads.

`Lease` is the arithmetic of the protocol's recovery profile for one reservation: it says when to
extend, and reads no clock but the one it is given. `Heartbeat` does the waiting.
"""

import logging
import time
from collections.abc import Callable
from math import ceil, inf
from operator import attrgetter
from threading import Condition, Thread
from typing import Final

from runcycles.drivers import run
from runcycles.errors import CyclesError, RateLimitedError
from runcycles.flows import AMBIGUOUS, Flow
from runcycles.ids import new_id
from runcycles.ops import Extend, Extended
from runcycles.transports import Sending, Transport

logger = logging.getLogger("runcycles")

LEAST_BUDGET_MS: Final = 1_000
LEAST_MARGIN_MS: Final = 1_000
MAX_RETRY_DELAY_MS: Final = 30_000
ASSUMED_TTL_MS: Final = 60_000
"""The protocol's default lease, where neither we nor the authority named one."""
MAX_THREADS: Final = 2
"""The second one keeps other leases alive while the first waits for a slow answer."""

LINGER_S: Final = 5.0
"""How long a thread without leases stays: calls are short, and the next one is near."""
MAX_WAIT_S: Final = 3_600.0
"""Longer waits are cut into pieces: Python cannot wait for as long as a lease could run."""

Clock = Callable[[], float]


class Lease:
    """When to extend one reservation, in the terms of the profile.

    An attempt may take the client's request timeout, or less for a short lease, so that two
    attempts and the safety margin fit into it. What the profile cannot keep, a lease of up to
    three seconds, is extended once and then left.

    Where the authority does not say `remaining_ttl_ms`, the lease is taken to run for `ttl_ms`
    from each answer, and extended at half of that: too often rather than too late.
    """

    __slots__ = (
        "_budget_ms",
        "_clock",
        "_is_blind",
        "_key",
        "_last_window_ms",
        "_lead_ms",
        "_max_rtt_ms",
        "_received",
        "_was_immediate",
        "due",
        "is_over",
        "key",
        "reservation_id",
        "ttl_ms",
    )

    def __init__(
        self,
        reservation_id: str,
        *,
        ttl_ms: int | None,
        remaining_ttl_ms: int | None,
        sent: float,
        received: float,
        request_timeout: float,
        key: str,
        clock: Clock = time.monotonic,
    ) -> None:
        self.reservation_id = reservation_id
        self.key = key
        self.ttl_ms = ttl_ms or remaining_ttl_ms or ASSUMED_TTL_MS
        self._is_blind = remaining_ttl_ms is None
        lease_ms = remaining_ttl_ms or self.ttl_ms
        affordable_ms = (lease_ms - LEAST_MARGIN_MS) // 4
        self._budget_ms = max(LEAST_BUDGET_MS, min(ceil(request_timeout * 1_000), affordable_ms))
        self._clock = clock
        self._key: str | None = None
        self._max_rtt_ms = 0
        self._last_window_ms: float = inf
        self._was_immediate = False
        self.is_over = False
        delay_ms = self._grant(remaining_ttl_ms, sent, received)
        self._was_immediate = delay_ms == 0
        self.due = received + delay_ms / 1_000

    @property
    def sending(self) -> Sending:
        """The trace of the reservation, and how long an attempt to extend it may take."""
        return Sending(self.key, timeout=self._attempt_ms / 1_000)

    def beat(self) -> Flow[float | None]:
        """Extend once. Returns when to come again, on the lease's clock; None when it is over."""
        self._key = self._key or new_id()
        sent = self._clock()
        try:
            extended: Extended = yield Extend(
                idempotency_key=self._key,
                reservation_id=self.reservation_id,
                extend_by_ms=self.ttl_ms,
            )
        except RateLimitedError as problem:
            told_ms = problem.retry_after_ms
            return self._again(problem, wait_ms=inf if told_ms is None else told_ms)
        except AMBIGUOUS as problem:
            return self._again(problem, wait_ms=None)
        except CyclesError as problem:
            self._stop(problem)
            return None
        return self._extended(extended, sent)

    def _extended(self, extended: Extended, sent: float) -> float | None:
        self._key = None
        received = self._clock()
        delay_ms = self._grant(extended.remaining_ttl_ms, sent, received)
        if delay_ms == 0 and self._was_immediate:
            self._stop(f"its lease of {self._lead_ms} ms is too short to be kept")
            return None
        self._was_immediate = delay_ms == 0
        return received + delay_ms / 1_000

    def _grant(self, remaining_ttl_ms: int | None, sent: float, received: float) -> float:
        """Take note of a lease that was granted; ms until the next beat."""
        rtt_ms = ceil((received - sent) * 1_000)
        self._max_rtt_ms = max(self._max_rtt_ms, rtt_ms)
        self._received = received
        self._last_window_ms = inf
        given_ms = self.ttl_ms if remaining_ttl_ms is None else remaining_ttl_ms
        self._lead_ms = max(0, given_ms - rtt_ms)
        delay_ms = max(0, self._lead_ms - 2 * self._attempt_ms - self._margin_ms)
        return self._lead_ms / 2 if self._is_blind else delay_ms

    @property
    def _attempt_ms(self) -> int:
        return max(self._budget_ms, 2 * self._max_rtt_ms)

    @property
    def _margin_ms(self) -> int:
        return max(LEAST_MARGIN_MS, 2 * self._max_rtt_ms)

    def _again(self, problem: CyclesError, *, wait_ms: float | None) -> float | None:
        """Ask again with the same key while the lease has room for an attempt."""
        now = self._clock()
        current_ms = max(0.0, self._lead_ms - (now - self._received) * 1_000)
        window_ms = current_ms - self._attempt_ms - self._margin_ms
        if window_ms < 0 or window_ms >= self._last_window_ms:
            self._stop(problem)
            return None
        self._last_window_ms = window_ms
        if wait_ms is None:
            wait_ms = min(MAX_RETRY_DELAY_MS, current_ms / 4, window_ms)
        elif wait_ms > window_ms:
            self._stop(problem)
            return None
        logger.warning(
            "extending reservation %s failed, trying again in %.1f s with the same key: %s",
            self.reservation_id,
            wait_ms / 1_000,
            problem,
        )
        return now + wait_ms / 1_000

    def _stop(self, reason: object) -> None:
        if not self.is_over:
            logger.warning(
                "reservation %s is not extended any more; its call goes on, and its spend will "
                "be recorded: %s",
                self.reservation_id,
                reason,
            )


class Heartbeat:
    """Extends leases when they are due, from threads that exist only while there is a lease.

    Watching and forgetting a lease take no lock, unless a thread has to be started or woken.
    """

    def __init__(self, transport: Callable[[], Transport], clock: Clock = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._leases: dict[Lease, None] = {}
        self._changed = Condition()
        self._threads = self._busy = 0
        self._wakes_at = inf
        self._is_closed = False

    def watch(self, lease: Lease) -> None:
        """Keep this lease alive until it is forgotten."""
        if self._is_closed:
            return
        self._leases[lease] = None
        if lease.due < self._wakes_at:
            self._wake()

    def forget(self, lease: Lease) -> None:
        """The lease's call has ended."""
        lease.is_over = True
        self._leases.pop(lease, None)

    def close(self) -> None:
        """Extend nothing any more; threads end by themselves."""
        with self._changed:
            self._is_closed = True
            self._leases.clear()
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
            self._leave_nobody_alone()

    def _leave_nobody_alone(self) -> None:
        """See to it that a thread is free to come, as far as there may be one."""
        if self._busy == self._threads < MAX_THREADS:
            self._threads += 1
            Thread(target=self._work, name="runcycles-heartbeat", daemon=True).start()

    def _work(self) -> None:
        while (lease := self._next_due()) is not None:
            due: float | None = None
            try:
                due = run(lease.beat(), self._transport(), lease.sending)
            except Exception:
                # the other leases still need this thread
                logger.exception("extending reservation %s failed", lease.reservation_id)
            with self._changed:
                self._busy -= 1
            if due is None:
                self.forget(lease)
            else:
                lease.due = due

    def _next_due(self) -> Lease | None:
        """Wait until a lease is due and take it; None when there is none to wait for."""
        lingered = False
        with self._changed:
            while True:
                lease = self._earliest()
                now = self._clock()
                if lease is not None and lease.due <= now:
                    return self._take(lease)
                if lease is None and (lingered or self._is_closed):
                    self._wakes_at = inf
                    if self._earliest() is None:
                        self._threads -= 1
                        return None
                lingered = lease is None
                self._wakes_at = now + LINGER_S if lease is None else lease.due
                if self._earliest() is lease:  # else one was added while we looked
                    self._changed.wait(min(self._wakes_at - now, MAX_WAIT_S))

    def _take(self, lease: Lease) -> Lease:
        """Nobody else beats this one meanwhile; somebody else looks after the others."""
        lease.due = inf
        self._busy += 1
        self._wakes_at = inf  # whoever is added meanwhile has to wake or start the other thread
        if self._earliest() is not None:
            self._leave_nobody_alone()
        return lease

    def _earliest(self) -> Lease | None:
        """The lease that is due first, apart from those being extended right now."""
        leases = [lease for lease in list(self._leases) if lease.due < inf]
        return min(leases, key=attrgetter("due"), default=None)
