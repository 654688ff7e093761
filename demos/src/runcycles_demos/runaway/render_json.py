"""The race as one JSON document, schema `cycles-demo/1`."""

import json
from typing import Any, TextIO

from runcycles_demos.kit.timeline import Timeline
from runcycles_demos.runaway.reading import LaneReading, RaceReading
from runcycles_demos.runaway.terms import GUARDED, LANES, UNGUARDED

SCHEMA = "cycles-demo/1"
_EXACT = 6  # decimals of a second


class JsonRenderer:
    """Says nothing until the end, then everything at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def update(self, timeline: Timeline) -> None:
        """Wait for the end."""

    def finish(self, timeline: Timeline) -> None:
        """Write the document; of a race that was broken off, as far as it went."""
        self._stream.write(json.dumps(document(timeline)) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is open."""


def document(timeline: Timeline) -> dict[str, Any]:
    """Return the document that the timeline adds up to."""
    reading = RaceReading.of(timeline)
    end = reading.said["ended"]
    document = {
        "schema": SCHEMA,
        "demo": "runaway",
        "complete": end["complete"],
        "ok": end["ok"],
        "engine": reading.intro["engine"],
        "versions": reading.intro["versions"],
        "seed": reading.intro["seed"],
        "period_ms": reading.intro["period_ms"],
        "scripted": ["model answers", "price", "pace"],
        "scenes": [
            {
                "name": "race",
                "lanes": {name: _lane(reading.lanes[name]) for name in LANES},
                "assertions": [dict(event.facts) for event in reading.verdicts],
                "series": _series(reading),
            }
        ],
    }
    if end["trouble"] is not None:
        document["trouble"] = end["trouble"]
    return document


def _lane(lane: LaneReading) -> dict[str, Any]:
    if lane.summed is not None:
        return dict(lane.summed.facts)
    return {
        "provider": {"requests": lane.requests, "billed_microcents": lane.billed},
        "seconds": round(lane.seconds, 3),
        "stopped_by": lane.stopped["by"] if lane.stopped else None,
    }


def _series(reading: RaceReading) -> list[list[float | int]]:
    """Rows of [seconds, unguarded microcents, guarded microcents], one for every change."""
    changes = sorted(
        (t, name, microcents) for name in LANES for t, microcents in reading.lanes[name].steps
    )
    rows: list[list[float | int]] = []
    totals = dict.fromkeys(LANES, 0)
    for t, name, microcents in changes:
        totals[name] = microcents
        rows.append([round(t, _EXACT), totals[UNGUARDED], totals[GUARDED]])
    return rows
