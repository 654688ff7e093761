"""All scenes as one JSON document, schema `cycles-demo/1`."""

from collections.abc import Sequence
from typing import Any

from runcycles_demos.authority.reading import SceneReading, TurnReading
from runcycles_demos.authority.world.effects import EMAIL, NOTE, REVIEW, STATUS
from runcycles_demos.kit.timeline import Timeline

SCHEMA = "cycles-demo/1"
_OF_A_REFUSAL = ("http", "code", "scope", "policy", "used", "limit", "request_id", "trace_id")


def document(timelines: Sequence[Timeline]) -> dict[str, Any]:
    """Return the document that the scenes add up to; of one broken off, as far as it went."""
    readings = [SceneReading.of(timeline) for timeline in timelines]
    ends = [reading.said["ended"] for reading in readings]
    intro = readings[0].intro
    troubles = [end["trouble"] for end in ends if end["trouble"] is not None]
    return {
        "schema": SCHEMA,
        "demo": "authority",
        "complete": all(end["complete"] for end in ends),
        "ok": all(end["ok"] for end in ends),
        **{name: intro[name] for name in ("engine", "versions", "period_ms", "fail_open")},
        "scripted": ["model answers", "pace", "customers"],
        "scenes": [_scene(reading) for reading in readings],
        **({"trouble": " ".join(troubles)} if troubles else {}),
    }


def counts(reading: SceneReading) -> dict[str, int]:
    """Return a row of the matrix of scenes."""
    turns = reading.turns
    asked = [turn for turn in turns if turn.asked is not None]
    return {
        "wanted": len(turns),
        "asked": len(asked),
        "allowed": sum(not turn.refused for turn in asked),
        "refused": len(reading.refused),
        "emails": len(reading.effects_of(EMAIL)),
        "rows": len(reading.effects_of(NOTE)) + len(reading.effects_of(STATUS)),
        "escalations": len(reading.effects_of(REVIEW)),
    }


def _scene(reading: SceneReading) -> dict[str, Any]:
    counted = counts(reading)
    statuses = reading.effects_of(STATUS)
    return {
        "name": reading.scene,
        **{name: counted[name] for name in ("wanted", "asked", "allowed")},
        "refused": [_refusal(turn) for turn in reading.refused],
        "world": {
            "emails": [[event["case"], event["text"]] for event in reading.effects_of(EMAIL)],
            "notes": len(reading.effects_of(NOTE)),
            "status": {event["case"]: event["text"] for event in statuses},
            "reviews": [event["case"] for event in reading.effects_of(REVIEW)],
        },
        "ledger": [
            {"scope": scope, "unit": unit, "allocated": given, "spent": gone}
            for scope, (gone, given, unit) in sorted(reading.ledger.items())
        ],
        "operator_actions": [{"t": round(event.t, 3), **event.facts} for event in reading.actions],
        "runs": [
            {"agent": run.lane, "ended_by": run.ended["by"] if run.ended else None}
            for run in reading.runs
        ],
        "assertions": [dict(event.facts) for event in reading.verdicts],
    }


def _refusal(turn: TurnReading) -> dict[str, Any]:
    assert turn.asked is not None  # it was refused
    answer = turn.asked.facts
    kind = {"kind": answer["action"], "toolset": answer["toolset"], "run_id": answer["run_id"]}
    return {"tool": turn.tool, **kind, **{name: answer.get(name) for name in _OF_A_REFUSAL}}
