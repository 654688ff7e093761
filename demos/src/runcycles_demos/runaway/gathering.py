"""Hearing every witness of a scene, once it is over."""

import time
from collections.abc import Sequence

from runcycles_demos.kit.meter import Bill
from runcycles_demos.kit.timeline import Event, Timeline
from runcycles_demos.runaway.facts import (
    Asking,
    Facts,
    Lane,
    Ledger,
    LoggedRefusal,
    Refusal,
    Replay,
    ShadowFacts,
    TokensFacts,
)
from runcycles_demos.runaway.scene import Scene
from runcycles_demos.runaway.terms import DRY_RUN, GUARDED, OBSERVED, UNGUARDED
from runcycles_demos.runaway.witnesses import ask_again, estimate_in, logged_refusals

_LOG_S = 2.0  # the server writes its log line after it has answered


def gather_race(scene: Scene) -> Facts:
    """Return the facts of the race.

    Raises:
        StackError: a witness does not answer.
    """
    lanes = _lanes(scene)
    refusals = lanes[GUARDED].refusals
    ledger = scene.books[GUARDED].ledger.read()
    logged = _logged(scene, refusals)
    return Facts(
        terms=scene.terms,
        unguarded=lanes[UNGUARDED],
        guarded=lanes[GUARDED],
        ledger=ledger,
        logged=logged,
        replay=_replay(scene, ledger, lanes[GUARDED].bill) if refusals else None,
    )


def gather_shadow(scene: Scene) -> ShadowFacts:
    """Return the facts of the scene `shadow`.

    Raises:
        StackError: a witness does not answer.
    """
    lanes = _lanes(scene)
    return ShadowFacts(
        terms=scene.terms,
        unguarded=lanes[UNGUARDED],
        observed=_asking(scene, OBSERVED, lanes[OBSERVED]),
        dry_run=_asking(scene, DRY_RUN, lanes[DRY_RUN]),
    )


def gather_tokens(scene: Scene) -> TokensFacts:
    """Return the facts of the scene `tokens`.

    Raises:
        StackError: a witness does not answer.
    """
    books = scene.books[GUARDED]
    denied = scene.timeline.last(GUARDED, "reserve_denied")
    return TokensFacts(
        terms=scene.terms,
        guarded=_lanes(scene)[GUARDED],
        ledger=books.ledger.read(),
        settled=books.ledger.settled(),
        released=tuple(event["released"] for event in _asked(scene, GUARDED, "commit")),
        refused_estimate=None if denied is None else estimate_in(denied["question"]),
    )


def _lanes(scene: Scene) -> dict[str, Lane]:
    bills = scene.meter.read(calls=2 * scene.terms.calls)
    return {lane: _lane(scene.timeline, lane, bills.get(lane, Bill())) for lane in scene.lanes}


def _lane(timeline: Timeline, lane: str, bill: Bill) -> Lane:
    stopped = timeline.last(lane, "lane_stopped")
    assert stopped is not None  # the scene is over
    return Lane(
        bill=bill,
        started=stopped["started"],
        entered=stopped["entered"],
        answered=stopped["answered"],
        seconds=stopped["seconds"],
        stopped_by=stopped["by"],
        refusals=_refusals(timeline, lane),
    )


def _refusals(timeline: Timeline, lane: str) -> tuple[Refusal, ...]:
    names = ("call", "http", "error", "scope", "request_id", "trace_id")
    return tuple(
        Refusal(**{name: event[name] for name in names})
        for event in timeline.of(lane, "reserve_denied")
    )


def _asked(scene: Scene, lane: str, op: str) -> list[Event]:
    return [event for event in scene.timeline.of(lane, "asked") if event["op"] == op]


def _asking(scene: Scene, name: str, lane: Lane) -> Asking:
    asked = _asked(scene, name, "dry_run")
    return Asking(
        lane=lane,
        ledger=scene.books[name].ledger.read(),
        dry_runs=len(asked),
        recorded=len(_asked(scene, name, "record")),
        would_refuse=tuple(event["call"] for event in asked if event["refused"]),
    )


def _logged(scene: Scene, refusals: Sequence[Refusal]) -> tuple[LoggedRefusal, ...]:
    """Read the server's log once it holds what the agent has met, or after a while anyway."""
    end = time.monotonic() + _LOG_S
    met = {refusal.request_id for refusal in refusals}
    while True:
        logged = logged_refusals(scene.books[GUARDED].access_log)
        if met <= {refusal.request_id for refusal in logged} or time.monotonic() > end:
            return logged
        scene.stack.check()
        time.sleep(0.02)


def _replay(scene: Scene, before: Ledger, billed: Bill) -> Replay:
    """Ask the refused question again, to the letter, and look whether anything has moved."""
    event = scene.timeline.last(GUARDED, "reserve_denied")
    assert event is not None
    books = scene.books[GUARDED]
    http, error = ask_again(books.authority, event["question"])
    bill_now = scene.meter.read().get(GUARDED, Bill())
    return Replay(
        http=http,
        error=error,
        changed=books.ledger.read() != before or bill_now.requests != billed.requests,
    )
