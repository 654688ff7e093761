"""What the scripted model says: a plan of tool calls, and what becomes of it after a refusal.

It decides on the conversation alone. A tool that did not run is not asked for again in this
conversation: what was planned with it goes to a human instead, and the rest of the plan goes on.
"""

import random
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runcycles.testing.model_server import ModelRequest, Reply, ToolCall
from runcycles_demos.authority.actions import ESCALATE

DID_NOT_RUN = "did not run"
DONE = "All of it is done."
ESCALATED = "I was not permitted to do all of it; a human will look at the rest."
STOPPED = "I was not permitted to do all of it, nor to escalate."

_LONGEST = 400  # letters of a reason
_TOLD = re.compile(r"^- (?P<tool>\w+): (?P<result>.*)$", re.MULTILINE)

Talk = Generator[ToolCall, str, str]
"""Asks for tools, is told their results, and ends with what the model says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A tool call that is planned, and the case it is for."""

    tool: str
    case: str
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A script for the model server."""

    steps: Sequence[Step]

    def __call__(self, request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        """Return the next tool call, or the last words."""
        talk = _work(self.steps)
        try:
            wanted = next(talk)
            for result in results_in(request):
                wanted = talk.send(result)
        except StopIteration as end:
            return Reply(text=end.value)
        return Reply(tool_calls=(wanted,))


def _work(steps: Iterable[Step]) -> Talk:
    refused: dict[str, str] = {}
    for step in steps:
        if step.tool not in refused:
            result = yield ToolCall(name=step.tool, arguments=dict(step.arguments))
            if DID_NOT_RUN not in result:
                continue
            refused[step.tool] = result
        reason = f"{step.tool}{refused[step.tool].partition(DID_NOT_RUN)[2]}"
        asked = {"case_id": step.case, "reason": reason[:_LONGEST]}
        result = yield ToolCall(name=ESCALATE, arguments=asked)
        if DID_NOT_RUN in result:
            return STOPPED
    return ESCALATED if refused else DONE


def results_in(request: ModelRequest) -> list[str]:
    """Return what the tools have said so far; also what an earlier conversation came to."""
    found = []
    for message in request.messages:
        if message.role == "tool":
            found.append(message.text)
        elif message.role == "user":
            found += [told["result"] for told in _TOLD.finditer(message.text)]
    return found


def retold(results: Iterable[tuple[str, str]]) -> str:
    """Return results as a new conversation tells them, for a framework that ended the old one."""
    lines = (f"- {tool}: {' '.join(result.split())}" for tool, result in results)
    return "\n".join(("", "So far:", *lines))
