"""Hearing every witness of a scene, once it is over."""

from runcycles_demos.authority.facts import Agent, Budget, Expected, Facts, Happened, Run, Turn
from runcycles_demos.authority.reading import RunReading, SceneReading, TurnReading
from runcycles_demos.authority.stage import Stage


def gather(stage: Stage, expected: Expected, *, code: str, ungated: Agent | None) -> Facts:
    """Return the facts of a scene.

    Raises:
        StackError: a witness does not answer.
    """
    stage.read_ledgers()
    reading = SceneReading.of(stage.timeline)
    balances = [balance for books in stage.books for balance in books.ledger.scopes()]
    reservations = [books.ledger.reservations() for books in stage.books]
    return Facts(
        terms=stage.terms,
        expected=expected,
        turns=tuple(map(_turn, reading.turns)),
        runs=tuple(map(_run, reading.runs)),
        effects=tuple(
            Happened(at=event.t, phase=event["phase"], kind=event["effect"], case=event["case"])
            for event in reading.effects
        ),
        ledger={
            balance.scope: Budget(allocated=balance.allocated, spent=balance.spent)
            for balance in balances
        },
        reserved=sum(balance.reserved for balance in balances),
        active=sum(statuses.get("ACTIVE", 0) for statuses in reservations),
        agent=Agent(code=code, first_question=stage.first_questions[0]),
        ungated=ungated,
    )


def _run(run: RunReading) -> Run:
    assert run.ended is not None  # the scene is over
    return Run(by=run.ended["by"], said=run.ended["said"])


def _turn(turn: TurnReading) -> Turn:
    answer = {} if turn.asked is None else dict(turn.asked.facts)
    names = ("http", "code", "scope", "policy", "request_id")
    return Turn(
        tool=turn.tool,
        phase=turn.wanted["phase"],
        lane=turn.lane,
        wanted_at=turn.wanted.t,
        asked=turn.asked is not None,
        allowed=answer.get("allowed", False),
        entered=turn.entered,
        told=turn.told,
        **{name: answer.get(name) for name in names},
    )
