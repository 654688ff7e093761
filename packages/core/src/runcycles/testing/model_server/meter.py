"""What the provider bills: the witness that neither the agent nor the authority can talk to.

A complete request counts when it has arrived, before it is answered; a caller that dies in the
middle of a call has been billed all the same.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from runcycles.testing.model_server.requests import without_ids
from runcycles.testing.model_server.scripts import Tokens

# Lanes and calls come from paths and callers, so both have an end. A demo lane makes 1,000 calls.
MAX_RUNS = 1_000
MAX_CALLS_KEPT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one call costs, in microcents (one US dollar is 100,000,000)."""

    per_request: int = 0
    per_prompt_token: int = 0
    per_completion_token: int = 0

    def of(self, tokens: Tokens) -> int:
        """Return the price of one call in microcents."""
        return (
            self.per_request
            + self.per_prompt_token * tokens.prompt
            + self.per_completion_token * tokens.completion
        )


FLAT = Price(per_request=1_000_000)  # one cent a call, whatever is said
TOKENS = Price(per_prompt_token=500, per_completion_token=2_500)  # $5 and $25 a million; made up
PRICES: Mapping[str, Price] = {"flat": FLAT, "tokens": TOKENS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as the provider saw it; moments are monotonic seconds of the server's clock."""

    at: float  # the complete request had arrived
    due_at: float  # not answered before: the run's schedule, plus injected delays
    body: str  # SHA-256 of the request body without ids
    billed_microcents: int = 0
    fault: str | None = None  # the injected fault, or "script_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMeter:
    """The bill of one run so far; tokens are those of the billed requests."""

    requests: int = 0
    spoilt_requests: int = 0  # by an injected fault, or because the script had no answer
    billed_requests: int = 0
    billed_microcents: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    first_at: float | None = None  # monotonic seconds at which the first request had arrived
    last_at: float | None = None
    calls: tuple[Call, ...] = ()  # in the order of their arrival, the first 20,000

    @property
    def bodies(self) -> tuple[str, ...]:
        """Digests of the request bodies; two lanes of one agent have equal beginnings."""
        return tuple(call.body for call in self.calls)

    def plus(self, call: Call, billed: Tokens | None) -> "RunMeter":
        """Return the meter after one more call; no tokens mean that it was not billed."""
        counted = replace(
            self,
            requests=self.requests + 1,
            spoilt_requests=self.spoilt_requests + (call.fault is not None),
            first_at=call.at if self.first_at is None else self.first_at,
            last_at=call.at,
        )
        if billed is None:
            return counted
        return replace(
            counted,
            billed_requests=self.billed_requests + 1,
            billed_microcents=self.billed_microcents + call.billed_microcents,
            prompt_tokens=self.prompt_tokens + billed.prompt,
            completion_tokens=self.completion_tokens + billed.completion,
            cached_tokens=self.cached_tokens + billed.cached,
            reasoning_tokens=self.reasoning_tokens + billed.reasoning,
        )


def digest(body: Mapping[str, object]) -> str:
    """Return the SHA-256 of a request body after its ids are removed."""
    plain = json.dumps(without_ids(dict(body)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


class Meter:
    """The bills of all runs; one thread writes, any thread may read."""

    def __init__(self) -> None:
        self._totals: dict[str, RunMeter] = {}
        self._calls: dict[str, list[Call]] = {}
        self._lock = threading.Lock()

    def total(self, run: str) -> RunMeter:
        """Return the bill of a run without its calls; an unknown run has spent nothing."""
        with self._lock:
            return self._totals.get(run, RunMeter())

    def read(self, run: str, *, calls: int = MAX_CALLS_KEPT) -> RunMeter:
        """Return the bill of a run with at most so many of its first calls."""
        with self._lock:
            kept = self._calls.get(run, [])[:calls]
            return replace(self._totals.get(run, RunMeter()), calls=tuple(kept))

    def runs(self) -> tuple[str, ...]:
        """Return the names of all runs, in the order of their first requests."""
        with self._lock:
            return tuple(self._totals)

    def has_room_for(self, run: str) -> bool:
        """Return whether this run is known already or may still become so."""
        with self._lock:
            return run in self._totals or len(self._totals) < MAX_RUNS

    def record(self, run: str, call: Call, billed: Tokens | None) -> None:
        """Count one complete request; no tokens mean that it is not billed."""
        with self._lock:
            self._totals[run] = self._totals.get(run, RunMeter()).plus(call, billed)
            kept = self._calls.setdefault(run, [])
            if len(kept) < MAX_CALLS_KEPT:
                kept.append(call)
