"""Everything that stands between the plain agent and its model in a lane that is not bare."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

from runcycles import Action, Amount, cycles, default_client
from runcycles.clients import CyclesClient
from runcycles.pricing import ModelUsage, PriceBook, input_bound
from runcycles_demos.runaway.agent import MAX_TOKENS, MODEL, Steps

KIND = "llm.completion"

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model said, and what it says it used."""

    text: str
    used: ModelUsage


def guarded(steps: Steps, price: int) -> Steps:
    """Return the agent's steps, each of which asks first whether there is budget for it."""
    return Steps(
        draft=cycles(price, action_kind=KIND, action_name="draft-response")(steps.draft),
        evaluate=cycles(price, action_kind=KIND, action_name="evaluate-quality")(steps.evaluate),
        refine=cycles(price, action_kind=KIND, action_name="refine-response")(steps.refine),
    )


def guarded_by_tokens(
    ask: Callable[[str, str], Answer], prices: PriceBook
) -> Callable[[str, str], Answer]:
    """Return a call to the model that asks for the most it can cost, and pays what it did cost."""

    def most(task: str, text: str) -> Amount:
        sent = input_bound(task, text, messages=2)
        return prices.bound(MODEL, input_tokens=sent, output_tokens=MAX_TOKENS)

    def cost(answer: Answer) -> Amount:
        return prices.cost(MODEL, answer.used)

    return cycles(estimate=most, actual=cost, action_kind=KIND, action_name=MODEL)(ask)


def dry_run_alone(steps: Steps, price: int) -> Steps:
    """The common mistake: ask what a budget would say, and never tell it what was spent."""
    client = default_client()
    assert isinstance(client, CyclesClient)

    def asking(step: Callable[P, R]) -> Callable[P, R]:
        @wraps(step)
        def asked(*args: P.args, **kwargs: P.kwargs) -> R:
            action = Action(kind=KIND, name=step.__name__)
            client.reserve(action=action, estimate=price, dry_run=True)
            return step(*args, **kwargs)

        return asked

    return Steps(
        draft=asking(steps.draft), evaluate=asking(steps.evaluate), refine=asking(steps.refine)
    )
