"""Calls that run without a hold: observed ones, or where nobody could be asked and that is wanted.

Shadow mode is for the first days in production, when nobody knows yet which calls a budget would
refuse: it asks and records as always, stops nothing, and says what would have been stopped. The
authority's failures are not the call's business here.
"""

import logging

from runcycles.denials import as_error
from runcycles.errors import CyclesError
from runcycles.flows import Flow, Retries, ask
from runcycles.ops import Decision, Denied, Record, Reserve

logger = logging.getLogger("runcycles")


def look(op: Reserve, retries: Retries) -> Flow[Decision | None]:
    """What the authority thinks of a call that runs in any case; None where it cannot say."""
    try:
        decision: Decision = yield from ask(op, retries)
    except CyclesError as problem:
        logger.warning(
            "shadow: %s %s could not be decided: %s", op.action.kind, op.action.name, problem
        )
        return None
    tell(op, decision, "shadow")
    return decision


def tell(op: Reserve, decision: Decision, why: str) -> None:
    """Log what would have been refused."""
    if isinstance(decision, Denied):
        logger.warning(
            "%s: %s %s would have been refused: %s",
            why,
            op.action.kind,
            op.action.name,
            as_error(op, decision),
        )


def note(op: Record, retries: Retries) -> Flow[None]:
    """Record what the call used, so that its budget knows; failing to is logged, not raised."""
    try:
        yield from ask(op, retries)
    except CyclesError as problem:
        logger.error(  # noqa: TRY400 - the sentence says it all
            "%s %s used %d %s, which is not recorded: %s",
            op.action.kind,
            op.action.name,
            op.actual.amount,
            op.actual.unit,
            problem,
        )
