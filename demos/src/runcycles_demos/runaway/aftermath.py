"""After a scene: judge every sentence, and put what the witnesses said into the timeline."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.kit.trouble import EXIT_ENVIRONMENT, EXIT_FAILED, EXIT_HELD
from runcycles_demos.kit.verdicts import Verdict
from runcycles_demos.runaway import assertions, shadow, terms, tokens
from runcycles_demos.runaway.facts import Facts, Lane, Ledger
from runcycles_demos.runaway.gathering import (
    gather_race,
    gather_shadow,
    gather_tokens,
)
from runcycles_demos.runaway.scene import Scene
from runcycles_demos.runaway.terms import BOTH, DRY_RUN, GUARDED, OBSERVED, UNGUARDED

_STATUSES = ("COMMITTED", "ACTIVE", "RELEASED", "EXPIRED")


def conclude(scene: Scene) -> tuple[int, str | None]:
    """Gather the facts and judge them; return the exit code, and why it is neither yes nor no.

    Raises:
        StackError: a witness does not answer.
    """
    match scene.terms.scene:
        case terms.SHADOW:
            return _conclude_shadow(scene)
        case terms.TOKENS:
            return _conclude_tokens(scene)
        case _:
            return _conclude_race(scene)


def _conclude_race(scene: Scene) -> tuple[int, str | None]:
    facts = gather_race(scene)
    lanes = {UNGUARDED: facts.unguarded, GUARDED: facts.guarded}
    _record(scene, lanes, {GUARDED: _guarded_members(scene.timeline, facts.guarded, facts.ledger)})
    code = _judged(scene, assertions.judge(facts))
    return (code, None) if code != EXIT_HELD else _paced(facts)


def _paced(facts: Facts) -> tuple[int, str | None]:
    """All that was judged holds; but was there a pace?"""
    late, slower = assertions.lateness(facts), 2 * facts.terms.engine.period_ms
    if late is None or assertions.pace_held(facts):
        return EXIT_HELD, None
    return EXIT_ENVIRONMENT, (
        f"This machine ran {late - 1:.0%} behind the pace, so nothing is said about speed; "
        f"try --fast, or --period-ms {slower:g}."
    )


def _conclude_shadow(scene: Scene) -> tuple[int, str | None]:
    facts = gather_shadow(scene)
    asking = {OBSERVED: facts.observed, DRY_RUN: facts.dry_run}
    lanes = {UNGUARDED: facts.unguarded} | {name: it.lane for name, it in asking.items()}
    told = {
        name: {
            "dry_runs": it.dry_runs,
            "recorded": it.recorded,
            "would_refuse": {
                "first_call": min(it.would_refuse, default=None),
                "calls": len(it.would_refuse),
            },
            **_ledger_members(it.ledger),
        }
        for name, it in asking.items()
    }
    _record(scene, lanes, told)
    return _judged(scene, shadow.judge(facts)), None


def _conclude_tokens(scene: Scene) -> tuple[int, str | None]:
    facts = gather_tokens(scene)
    told = {
        **_guarded_members(scene.timeline, facts.guarded, facts.ledger),
        "estimated_microcents": sum(call.estimate for call in facts.settled),
        "released_microcents": sum(facts.released),
        "refused_estimate_microcents": facts.refused_estimate,
    }
    _record(scene, {GUARDED: facts.guarded}, {GUARDED: told})
    return _judged(scene, tokens.judge(facts)), None


def _judged(scene: Scene, verdicts: Sequence[Verdict]) -> int:
    for verdict in verdicts:
        scene.timeline.add(scene.now(), BOTH, "judged", **verdict.as_json())
    return EXIT_FAILED if any(verdict.ok is False for verdict in verdicts) else EXIT_HELD


def _record(scene: Scene, lanes: Mapping[str, Lane], told: Mapping[str, Mapping[str, Any]]) -> None:
    """Add every call that was billed, all lanes in the order of time, and each lane's sum."""
    totals = dict.fromkeys(lanes, 0)
    calls = [
        (call.at, name, call.microcents) for name, lane in lanes.items() for call in lane.bill.calls
    ]
    for at, name, price in sorted(calls):
        totals[name] += price
        scene.timeline.add(at - scene.began, name, "call_billed", microcents=totals[name])
    for name, lane in lanes.items():
        stopped = scene.timeline.of(name, "lane_stopped")[-1]
        summed = {**_sum(lane), **told.get(name, {})}
        scene.timeline.add(stopped.t, name, "summed", **summed)


def _sum(lane: Lane) -> dict[str, Any]:
    return {
        "provider": {
            "requests": lane.bill.requests,
            "billed_microcents": lane.bill.microcents,
        },
        "agent_calls": lane.answered,
        "seconds": round(lane.seconds, 3),
        "stopped_by": lane.stopped_by,
    }


def _guarded_members(timeline: Timeline, lane: Lane, ledger: Ledger) -> dict[str, Any]:
    return {
        "denial": asdict(lane.refusals[0]) if lane.refusals else None,
        **_ledger_members(ledger),
        "overhead_ms": overhead(timeline),
    }


def _ledger_members(ledger: Ledger) -> dict[str, Any]:
    return {
        "ledger": [asdict(scope) for scope in ledger.scopes],
        "reservations": dict.fromkeys(_STATUSES, 0) | dict(ledger.reservations),
    }


def overhead(timeline: Timeline) -> dict[str, float]:
    """Return what asking added to a call, in ms: before its body, and after it."""
    took: dict[str, list[float]] = {"reserve": [], "commit": []}
    for event in timeline.of(GUARDED, "asked"):
        took.setdefault(event["op"], []).append(event["ms"])
    return {
        f"{op}_p{percent}": _percentile(took[op], percent)
        for op in ("reserve", "commit")
        for percent in (50, 95)
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    """The nearest rank; 0 where nothing was measured."""
    if not values:
        return 0.0
    ranked = sorted(values)
    return round(ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)], 3)
