"""The support bot. Every lane runs this file, whatever its engine; it knows nothing of budgets.

It drafts a reply to a ticket, has it scored, and refines it until the score is good enough. Its
bug: no reply ever scores above 6.9, and it goes on until one reaches 8.0.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

GOOD_ENOUGH = 8.0
TICKET = (
    "Ticket #4782: The invoice for March says $847, but my contract says $720 a month. "
    "Please explain the difference or correct the invoice."
)
DRAFT = "You draft replies to customers of a software company."
EVALUATE = "You evaluate replies to customers. Begin with: Score: N.N"
REFINE = "You refine replies to customers."
TASKS = (DRAFT, EVALUATE, REFINE)

MODEL = "scripted-model"
MAX_TOKENS = 200  # the longest answer asked for; the model's are shorter

_SCORE = re.compile(r"Score: (\d+\.\d)")

Ask = Callable[[str, str], str]
"""Has the model do a task with a text, and returns what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The three things the agent does, each of which asks the model once."""

    draft: Callable[[str], str]
    evaluate: Callable[[str], float]
    refine: Callable[[str, float], str]


def answer(ticket: str, do: Steps) -> str:
    """Return a reply to the ticket that is good enough, however long that takes."""
    reply = do.draft(ticket)
    while (score := do.evaluate(reply)) < GOOD_ENOUGH:
        reply = do.refine(reply, score)
    return reply


class SupportBot:
    """The three steps; one that remembers shows the model every version it has written so far."""

    def __init__(self, ask: Ask, *, remembers: bool) -> None:
        self._ask = ask
        self._remembers = remembers

    def steps(self) -> Steps:
        """Return the steps as plain functions."""
        return Steps(draft=self.draft, evaluate=self.evaluate, refine=self.refine)

    def draft(self, ticket: str) -> str:
        """Write a first reply."""
        return self._ask(DRAFT, ticket)

    def evaluate(self, reply: str) -> float:
        """Score a reply from 0 to 10."""
        said = self._ask(EVALUATE, reply)
        found = _SCORE.match(said)
        if found is None:
            raise ValueError(f"the model gave no score: {said!r}")
        return float(found[1])

    def refine(self, reply: str, score: float) -> str:
        """Improve a reply that was not good enough."""
        better = self._ask(REFINE, f"Scored {score}:\n{reply}")
        return f"{reply}\n\nScored {score}:\n{better}" if self._remembers else better
