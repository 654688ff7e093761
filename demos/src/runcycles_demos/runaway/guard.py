"""The whole difference between the two lanes."""

from runcycles import cycles
from runcycles_demos.runaway.agent import Steps
from runcycles_demos.runaway.terms import PRICE


def unguarded(steps: Steps) -> Steps:
    """Return the agent's steps as they are."""
    return steps


def guarded(steps: Steps) -> Steps:
    """Return the agent's steps, each of which asks first whether there is budget for it."""
    kind = "llm.completion"
    return Steps(
        draft=cycles(PRICE, action_kind=kind, action_name="draft-response")(steps.draft),
        evaluate=cycles(PRICE, action_kind=kind, action_name="evaluate-quality")(steps.evaluate),
        refine=cycles(PRICE, action_kind=kind, action_name="refine-response")(steps.refine),
    )
