"""What the scripted model does with results: it never goes around a refusal."""

import random

from runcycles.testing.model_server import Message, ModelRequest
from runcycles_demos.authority.actions import EMAIL, ESCALATE, NOTE, READ
from runcycles_demos.authority.script import (
    DONE,
    ESCALATED,
    STOPPED,
    Plan,
    Step,
    results_in,
    retold,
)

PLAN = Plan([
    Step(tool=READ, case="1", arguments={"case_id": "1"}),
    Step(tool=EMAIL, case="1", arguments={"to": "a"}),
    Step(tool=EMAIL, case="2", arguments={"to": "b"}),
    Step(tool=NOTE, case="1", arguments={"case_id": "1"}),
])  # fmt: skip
NO = "The tool x did not run: BUDGET_EXCEEDED: nothing left"


def said(*results: str, user: str = "work") -> str:
    """What the model wants after these results, or its last words."""
    messages = [Message(role="user", text=user)]
    messages += [Message(role="tool", text=result) for result in results]
    reply = PLAN(ModelRequest(model="m", messages=tuple(messages)), 1, random.Random(0))
    wanted = [tool.name for tool in reply.tool_calls]
    return wanted[0] if wanted else reply.text


def test_a_plan_is_done_step_by_step() -> None:
    assert [said(*["ok"] * n) for n in range(5)] == [READ, EMAIL, EMAIL, NOTE, DONE]


def test_what_was_refused_goes_to_a_human_and_so_does_everything_like_it() -> None:
    results = ["ok", NO, "ok", "ok", "ok"]
    assert [said(*results[:n]) for n in range(1, 6)] == [
        EMAIL,
        ESCALATE,
        ESCALATE,
        NOTE,
        ESCALATED,
    ]


def test_who_may_not_even_escalate_stops() -> None:
    assert said("ok", NO, NO) == STOPPED


def test_the_reason_is_passed_on_to_the_human() -> None:
    messages = [Message(role="tool", text=text) for text in ("ok", NO)]
    reply = PLAN(ModelRequest(model="m", messages=tuple(messages)), 1, random.Random(0))
    (call,) = reply.tool_calls
    assert "BUDGET_EXCEEDED" in call.arguments_text
    assert EMAIL in call.arguments_text


def test_a_new_conversation_is_told_what_the_old_one_came_to() -> None:
    told = "work" + retold([(READ, "two\nlines"), ("refused", NO)])
    assert said(user=told) == ESCALATE
    request = ModelRequest(model="m", messages=(Message(role="user", text=told),))
    assert results_in(request) == ["two lines", NO]
