"""After the race: hear every witness, judge every sentence, and put it all into the timeline."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from runcycles_demos.kit.meter import Bill
from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.kit.trouble import EXIT_ENVIRONMENT, EXIT_FAILED, EXIT_HELD
from runcycles_demos.runaway.assertions import judge, lateness, pace_held
from runcycles_demos.runaway.facts import Facts, Lane, Ledger, LoggedRefusal, Refusal, Replay
from runcycles_demos.runaway.scene import Race
from runcycles_demos.runaway.terms import BOTH, CALLS, GUARDED, LANES, UNGUARDED
from runcycles_demos.runaway.witnesses import ask_again, logged_refusals

_LOG_S = 2.0  # the server writes its log line after it has answered
_STATUSES = ("COMMITTED", "ACTIVE", "RELEASED", "EXPIRED")


def conclude(race: Race) -> tuple[int, str | None]:
    """Gather the facts and judge them; return the exit code, and why it is neither yes nor no.

    Raises:
        StackError: a witness does not answer.
    """
    facts = _gather(race)
    timeline = race.timeline
    _record_bills(race, facts)
    _record_lanes(timeline, facts)
    verdicts = judge(facts)
    for verdict in verdicts:
        timeline.add(race.now(), BOTH, "judged", **verdict.as_json())
    if any(verdict.ok is False for verdict in verdicts):
        return EXIT_FAILED, None
    late = lateness(facts)
    if late is None or pace_held(facts):
        return EXIT_HELD, None
    return EXIT_ENVIRONMENT, (
        f"This machine ran {late - 1:.0%} behind the pace, so nothing is said about speed; "
        "try --fast, or --period-ms 24."
    )


def _gather(race: Race) -> Facts:
    bills = race.meter.read(calls=2 * CALLS)
    refusals = _refusals(race.timeline)
    ledger = race.ledger.read()
    logged = _logged(race, refusals)
    return Facts(
        terms=race.terms,
        unguarded=_lane(race.timeline, UNGUARDED, bills.get(UNGUARDED, Bill())),
        guarded=_lane(race.timeline, GUARDED, bills.get(GUARDED, Bill())),
        ledger=ledger,
        logged=logged,
        replay=_replay(race, ledger, bills.get(GUARDED, Bill())) if refusals else None,
    )


def _lane(timeline: Timeline, lane: str, bill: Bill) -> Lane:
    stopped = timeline.last(lane, "lane_stopped")
    assert stopped is not None  # the race is over
    return Lane(
        bill=bill,
        started=stopped["started"],
        entered=stopped["entered"],
        answered=stopped["answered"],
        seconds=stopped["seconds"],
        stopped_by=stopped["by"],
        refusals=_refusals(timeline) if lane == GUARDED else (),
    )


def _refusals(timeline: Timeline) -> tuple[Refusal, ...]:
    names = ("call", "http", "error", "scope", "request_id", "trace_id")
    return tuple(
        Refusal(**{name: event[name] for name in names})
        for event in timeline.of(GUARDED, "reserve_denied")
    )


def _logged(race: Race, refusals: Sequence[Refusal]) -> tuple[LoggedRefusal, ...]:
    """Read the server's log once it holds what the agent has met, or after a while anyway."""
    end = time.monotonic() + _LOG_S
    met = {refusal.request_id for refusal in refusals}
    while True:
        logged = logged_refusals(race.stack.access_log)
        if met <= {refusal.request_id for refusal in logged} or time.monotonic() > end:
            return logged
        race.stack.check()
        time.sleep(0.02)


def _replay(race: Race, before: Ledger, billed: Bill) -> Replay:
    """Ask the refused question again, to the letter, and look whether anything has moved."""
    event = race.timeline.last(GUARDED, "reserve_denied")
    assert event is not None
    http, error = ask_again(race.authority, event["question"])
    bill_now = race.meter.read().get(GUARDED, Bill())
    return Replay(
        http=http,
        error=error,
        changed=race.ledger.read() != before or bill_now.requests != billed.requests,
    )


def _record_bills(race: Race, facts: Facts) -> None:
    """Add every call that was billed, both lanes in the order of time."""
    totals = dict.fromkeys(LANES, 0)
    calls = [
        (call.at, lane, call.microcents)
        for lane, bill in ((UNGUARDED, facts.unguarded.bill), (GUARDED, facts.guarded.bill))
        for call in bill.calls
    ]
    for at, lane, price in sorted(calls):
        totals[lane] += price
        race.timeline.add(at - race.began, lane, "call_billed", microcents=totals[lane])


def _record_lanes(timeline: Timeline, facts: Facts) -> None:
    for name, lane in ((UNGUARDED, facts.unguarded), (GUARDED, facts.guarded)):
        summed: dict[str, Any] = {
            "provider": {
                "requests": lane.bill.requests,
                "billed_microcents": lane.bill.microcents,
            },
            "agent_calls": lane.answered,
            "seconds": round(lane.seconds, 3),
            "stopped_by": lane.stopped_by,
        }
        if name == GUARDED:
            summed |= _guarded_members(timeline, facts)
        timeline.add(timeline.of(name, "lane_stopped")[-1].t, name, "summed", **summed)


def _guarded_members(timeline: Timeline, facts: Facts) -> dict[str, Any]:
    refusals = facts.guarded.refusals
    counted = dict.fromkeys(_STATUSES, 0) | dict(facts.ledger.reservations)
    return {
        "denial": asdict(refusals[0]) if refusals else None,
        "ledger": [asdict(scope) for scope in facts.ledger.scopes],
        "reservations": counted,
        "overhead_ms": overhead(timeline),
    }


def overhead(timeline: Timeline) -> dict[str, float]:
    """Return what the guard added to a call, in ms: before its body, and after it."""
    before = [event["before_ms"] for event in timeline.of(GUARDED, "body_entered")]
    after = [event["after_ms"] for event in timeline.of(GUARDED, "call_finished")]
    return {
        "reserve_p50": _percentile(before, 50),
        "reserve_p95": _percentile(before, 95),
        "commit_p50": _percentile(after, 50),
        "commit_p95": _percentile(after, 95),
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    """The nearest rank; 0 where nothing was measured."""
    if not values:
        return 0.0
    ranked = sorted(values)
    return round(ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)], 3)
