import random

from runcycles.adapter_suite import HELPER, TOOLS, Team
from runcycles.testing.model_server import Message, ModelRequest, Reply


def said(*messages: Message, tools: tuple[str, ...], system: str = "You lead.") -> Reply:
    request = ModelRequest(
        model="gpt-4o-mini",
        messages=(Message(role="system", text=system), *messages),
        tools=tools,
    )
    return Team(passes_on=("ask_helper",))(request, 1, random.Random(1))


def answered(*names: str) -> Message:
    calls = said(tools=(*TOOLS, "ask_helper")).tool_calls
    return Message(role="assistant", tool_calls=tuple(it for it in calls if it.name in names))


def test_the_lead_calls_both_its_tools_at_once() -> None:
    assert [call.name for call in said(tools=TOOLS).tool_calls] == list(TOOLS)


def test_the_lead_passes_on_once_its_tools_have_answered() -> None:
    reply = said(answered(*TOOLS), tools=(*TOOLS, "ask_helper"))
    assert [call.name for call in reply.tool_calls] == ["ask_helper"]


def test_the_lead_without_a_helper_answers_once_its_tools_have() -> None:
    assert said(answered(*TOOLS), tools=TOOLS) == Reply(text="done")


def test_the_helper_calls_one_tool_and_answers() -> None:
    system = f"You are the {HELPER}."
    assert [call.name for call in said(tools=TOOLS, system=system).tool_calls] == ["look_up"]
    assert said(answered("look_up"), tools=TOOLS, system=system) == Reply(text="helped")
