"""All scenes as one JSON document, schema `cycles-demo/1`."""

from collections.abc import Sequence
from typing import Any

from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.runaway.reading import LaneReading, SceneReading

SCHEMA = "cycles-demo/1"
_EXACT = 6  # decimals of a second


def document(timelines: Sequence[Timeline]) -> dict[str, Any]:
    """Return the document that the scenes add up to; of one broken off, as far as it went."""
    readings = [SceneReading.of(timeline) for timeline in timelines]
    ends = [reading.said["ended"] for reading in readings]
    intro = readings[0].intro
    troubles = [end["trouble"] for end in ends if end["trouble"] is not None]
    return {
        "schema": SCHEMA,
        "demo": "runaway",
        "complete": all(end["complete"] for end in ends),
        "ok": all(end["ok"] for end in ends),
        **{name: intro[name] for name in ("engine", "versions", "seed", "period_ms")},
        "scripted": ["model answers", "price", "pace"],
        "scenes": [_scene(reading) for reading in readings],
        **({"trouble": " ".join(troubles)} if troubles else {}),
    }


def _scene(reading: SceneReading) -> dict[str, Any]:
    return {
        "name": reading.scene,
        "lanes": {name: _lane(lane) for name, lane in reading.lanes.items()},
        "assertions": [dict(event.facts) for event in reading.verdicts],
        "series": _series(reading),
    }


def _lane(lane: LaneReading) -> dict[str, Any]:
    if lane.summed is not None:
        return dict(lane.summed.facts)
    return {
        "provider": {"requests": lane.requests, "billed_microcents": lane.billed},
        "seconds": round(lane.seconds, 3),
        "stopped_by": lane.stopped["by"] if lane.stopped else None,
    }


def _series(reading: SceneReading) -> list[list[float | int]]:
    """Rows of seconds and each lane's microcents, in the lanes' order; one for every change."""
    changes = sorted(
        (t, name, microcents)
        for name, lane in reading.lanes.items()
        for t, microcents in lane.steps
    )
    rows: list[list[float | int]] = []
    totals = dict.fromkeys(reading.lanes, 0)
    for t, name, microcents in changes:
        totals[name] = microcents
        rows.append([round(t, _EXACT), *totals.values()])
    return rows
