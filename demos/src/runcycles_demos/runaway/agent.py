"""The support bot. Both lanes run this file; nothing in it knows of budgets.

It drafts a reply to a ticket, has it scored, and refines it until the score is good enough. Its
bug: no reply ever scores above 6.9, and it goes on until one reaches 8.0.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import httpx

GOOD_ENOUGH = 8.0
TICKET = (
    "Ticket #4782: The invoice for March says $847, but my contract says $720 a month. "
    "Please explain the difference or correct the invoice."
)

_MODEL = "scripted-model"
_SCORE = re.compile(r"Score: (\d+\.\d)")
_ANSWER_S = 30.0


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
    """The three steps, asking a model over HTTP on one connection that is kept open."""

    def __init__(self, model_url: str) -> None:
        self._model = httpx.Client(base_url=model_url, timeout=_ANSWER_S, trust_env=False)

    def steps(self) -> Steps:
        """Return the steps as plain functions."""
        return Steps(draft=self.draft, evaluate=self.evaluate, refine=self.refine)

    def draft(self, ticket: str) -> str:
        """Write a first reply."""
        return self._ask("You draft replies to customers of a software company.", ticket)

    def evaluate(self, reply: str) -> float:
        """Score a reply from 0 to 10."""
        said = self._ask("You evaluate replies to customers. Begin with: Score: N.N", reply)
        found = _SCORE.match(said)
        if found is None:
            raise ValueError(f"the model gave no score: {said!r}")
        return float(found[1])

    def refine(self, reply: str, score: float) -> str:
        """Improve a reply that was not good enough."""
        return self._ask("You refine replies to customers.", f"Scored {score}:\n{reply}")

    def close(self) -> None:
        """Close the connection."""
        self._model.close()

    def _ask(self, task: str, text: str) -> str:
        messages = [{"role": "system", "content": task}, {"role": "user", "content": text}]
        response = self._model.post(
            "chat/completions", json={"model": _MODEL, "messages": messages}
        )
        answer = response.raise_for_status().json()
        return str(answer["choices"][0]["message"]["content"])
