"""Hearing every witness of a scene, once it is over."""

import time
from typing import Any

from runcycles_demos.authority.facts import (
    Agent,
    Budget,
    Deed,
    Expected,
    Facts,
    Happened,
    Kept,
    Rows,
    Turn,
)
from runcycles_demos.authority.reading import SceneReading, TurnReading
from runcycles_demos.authority.stage import Stage
from runcycles_demos.kit.timeline import Event

_AUDIT_S = 2.0


def gather(stage: Stage, expected: Expected, *, code: str, ungated: Agent | None) -> Facts:
    """Return the facts of a scene.

    Raises:
        StackError: a witness does not answer.
    """
    stage.read_ledgers()
    reading = SceneReading.of(stage.timeline)
    answered = [turn.asked for turn in reading.refused if turn.asked and turn.asked["http"]]
    balances = [balance for books in stage.books for balance in books.ledger.scopes()]
    notes, statuses, reviews = stage.world.rows.changed()
    reservations = [books.ledger.reservations() for books in stage.books]
    return Facts(
        terms=stage.terms,
        expected=expected,
        turns=tuple(map(_turn, reading.turns)),
        ended=tuple(run.ended["by"] for run in reading.runs if run.ended is not None),
        effects=tuple(
            Happened(at=event.t, phase=event["phase"], kind=event["effect"], case=event["case"])
            for event in reading.effects
        ),
        tables=Rows(notes=notes, statuses=statuses, reviews=reviews),
        ledger={
            balance.scope: Budget(allocated=balance.allocated, spent=balance.spent)
            for balance in balances
        },
        counters={run: used for run, (used, _) in reading.counters.items()},
        reserved=sum(balance.reserved for balance in balances),
        active=sum(statuses.get("ACTIVE", 0) for statuses in reservations),
        kept=tuple(_kept(stage, event["request_id"]) for event in answered),
        deeds=tuple(_deed(stage, event) for event in reading.actions),
        agent=Agent(code=code, first_question=stage.first_questions[0]),
        ungated=ungated,
    )


def _kept(stage: Stage, request_id: str) -> Kept:
    """Of the same refusal again within a second the server keeps one decision and one entry."""
    told = stage.operator.explanation(request_id) or {"request_ids": [request_id], "steps": []}
    failed = [step["name"] for step in told["steps"] if step["outcome"] == "fail"]
    entry = _entry(stage, told["request_ids"][0])
    return Kept(
        reason=told.get("reason_code"),
        failed_step=failed[0] if failed else None,
        audited=entry.get("error_code"),
    )


def _deed(stage: Stage, event: Event) -> Deed:
    found = _entry(stage, event["request_id"]).get("metadata", {})
    # a stop is a record of its own, and its reason is a part of that
    parts = (found, found.get("after") or {}, found.get("before") or {})
    reasons = [part["reason"] for part in parts if "reason" in part]
    return Deed(
        action=event["action"],
        at=event.t,
        reason=event["reason"],
        actor=found.get("actor_type"),
        audited_reason=reasons[0] if reasons else None,
    )


def _entry(stage: Stage, request_id: str) -> dict[str, Any]:
    """The audit entry of a request; what was refused is written down a moment after the answer."""
    end = time.monotonic() + _AUDIT_S
    while (found := stage.operator.audit(request_id)) is None and time.monotonic() < end:
        stage.stack.check()
        time.sleep(0.02)
    return found or {}


def _turn(turn: TurnReading) -> Turn:
    answer = {} if turn.asked is None else dict(turn.asked.facts)
    names = ("http", "code", "policy")
    return Turn(
        tool=turn.tool,
        phase=turn.wanted["phase"],
        lane=turn.lane,
        wanted_at=turn.wanted.t,
        asked=turn.asked is not None,
        allowed=answer.get("allowed", False),
        asked_at=turn.asked.t - turn.asked["ms"] / 1000 if turn.asked else 0.0,
        entered=turn.entered,
        told=turn.told,
        **{name: answer.get(name) for name in names},
    )
