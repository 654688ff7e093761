"""What the scripted model answers: pure functions of the request, the call's number and a seed.

Nothing here remembers anything, so two lanes that ask the same questions get the same answers,
whatever happens between them.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from runcycles.testing.model_server.requests import (
    CHARS_PER_TOKEN,
    ModelRequest,
    ToolCall,
    count_tokens,
)


class ScriptError(Exception):
    """The script has no answer to this call; the server answers 500 and nothing is billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model says: text, tool calls (several are parallel calls), or both.

    Token counts left as None are counted from the characters. Cached tokens are part of the prompt
    tokens, reasoning tokens part of the completion tokens, as in the real service.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Script(Protocol):
    """Decides what the model says; a plain function will do."""

    def __call__(self, request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        """Answer call number `call` of a run, counted from 1.

        Calls that a fault has spoilt are not counted: who asks again gets the answer that was lost.
        Must depend on its arguments alone: `rng` is seeded anew for each call, from the server's
        seed and the number of the call, and not from the name of the run.

        Raises:
            ScriptError: the script has no answer to this.
        """
        ...


@dataclass(frozen=True, slots=True)
class Replies:
    """Answers call k with the k-th reply; a string stands for a reply with that text.

    `then` says what happens after the last one: "error" (500) or "repeat" the last for ever.
    """

    replies: Sequence[Reply | str]
    then: Literal["error", "repeat"] = "error"

    def __post_init__(self) -> None:
        if not self.replies:
            raise ValueError("Replies needs at least one reply")

    def __call__(self, request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        """Return the reply with that number."""
        if call > len(self.replies) and self.then == "error":
            raise ScriptError(f"call {call}, but the script holds {len(self.replies)} replies")
        reply = self.replies[min(call, len(self.replies)) - 1]
        return Reply(text=reply) if isinstance(reply, str) else reply


_STEP = re.compile(r"\b(draft|evaluat|refin)", re.IGNORECASE)

_DRAFT = (
    "Hello, thank you for writing to us about ticket #4782. I can see that the March invoice asks"
    " for $847 while your contract names $720 a month. I have passed the difference of $127 to our"
    " billing team and will write to you again as soon as they have looked at it."
)
_REMARKS = (
    "The apology is missing, and the customer is not told when to expect an answer.",
    "It names the difference but not its cause.",
    "Polite, yet it leaves the next step to the customer.",
    "The amounts are right; the tone is that of a form letter.",
    "It promises a review without saying who will do it.",
)
_CHANGES = (
    "I am sorry for the confusion this has caused.",
    "You will hear from us within two working days.",
    "Until then, please pay only the $720 of your contract.",
    "Our billing team checks the usage lines of March first.",
    "You need not do anything in the meantime.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefineLoop:
    """A support agent's model whose own verdict never reaches the agent's threshold.

    The step is the first of draft, evaluate and refine (or a form of it) named in the system
    prompt, else in the last message. An evaluation begins with `Score: 6.4`, drawn uniformly from
    the tenths between the two bounds; with the bounds as they are, a threshold of 8.0 is out of
    reach for ever.
    """

    lowest_tenths: int = 55
    highest_tenths: int = 69

    def __call__(self, request: ModelRequest, call: int, rng: random.Random, /) -> Reply:
        """Return a draft, a score with a remark, or a draft with one more sentence."""
        match _step(request):
            case "draft":
                return Reply(text=_DRAFT)
            case "evaluat":
                tenths = rng.randint(self.lowest_tenths, self.highest_tenths)
                score = f"{tenths // 10}.{tenths % 10}"
                return Reply(text=f"Score: {score}\n{rng.choice(_REMARKS)}")
            case _:
                return Reply(text=f"{_DRAFT} {rng.choice(_CHANGES)}")


def _step(request: ModelRequest) -> str:
    for text in (request.system, request.last.text):
        if found := _STEP.search(text):
            return found[1].lower()
    raise ScriptError("the prompt names none of the steps draft, evaluate, refine")


def seeded(seed: int, call: int) -> random.Random:
    """Return the generator of one call; equal for every run, whatever was drawn before."""
    return random.Random(f"{seed}:{call}")  # noqa: S311 - a script, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """How many tokens a call used; cached are part of prompt, reasoning part of completion."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.cached <= self.prompt:
            raise ScriptError(f"{self.cached} cached of {self.prompt} prompt tokens")
        if not 0 <= self.reasoning <= self.completion:
            raise ScriptError(f"{self.reasoning} reasoning of {self.completion} completion tokens")

    @property
    def total(self) -> int:
        """All of them."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A reply as it is sent: cut to the caller's limit, tool calls named, tokens counted."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    tokens: Tokens
    cut: bool  # the caller's limit ended the text early


def complete(request: ModelRequest, reply: Reply, *, call: int) -> Completion:
    """Apply the caller's token limit to a reply and count.

    Text is cut where a real model would have stopped; a reply with tool calls is sent whole.
    """
    limit = None if reply.tool_calls else request.max_tokens
    text = reply.text
    if limit is not None:
        text = text[: max(0, limit - reply.reasoning_tokens) * CHARS_PER_TOKEN]
    tool_calls = tuple(
        tool if tool.id else replace(tool, id=f"call_{call}_{index}")
        for index, tool in enumerate(reply.tool_calls)
    )
    prompt, completion = reply.prompt_tokens, reply.completion_tokens
    if prompt is None:
        prompt = request.prompt_tokens
    if completion is None:
        chars = len(text) + sum(tool.chars for tool in tool_calls)
        completion = count_tokens(chars) + reply.reasoning_tokens
    reasoning = reply.reasoning_tokens
    allowed = completion
    if limit is not None and completion > limit:
        allowed, reasoning = limit, min(reasoning, limit)
    tokens = Tokens(
        prompt=prompt,
        completion=allowed,
        cached=reply.cached_tokens,
        reasoning=reasoning,
    )
    cut = len(text) < len(reply.text) or allowed < completion
    return Completion(text=text, tool_calls=tool_calls, tokens=tokens, cut=cut)
